//! Finds the models to build in, and tells this crate's tests where libtorch lies at run time.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
    // The whole folder: a path that does not exist yet would make every build a new one.
    println!("cargo:rerun-if-changed=.");
    for (file, cfg) in [
        ("default.safetensors", "built_in_studio"),
        ("live.safetensors", "built_in_live"),
    ] {
        println!("cargo:rustc-check-cfg=cfg({cfg})");
        // Scripts run in their crate's folder. Its path at compile time would be another checkout's where
        // several share a target folder.
        if std::path::Path::new(file).exists() {
            println!("cargo:rustc-cfg={cfg}");
        }
    }
}
