//! Finds the model to build in, and tells this crate's tests where libtorch lies at run time.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
    // The whole folder: a path that does not exist yet would make every build a new one.
    println!("cargo:rerun-if-changed=.");
    println!("cargo:rustc-check-cfg=cfg(built_in_model)");
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/default.safetensors");
    if std::path::Path::new(model).exists() {
        println!("cargo:rustc-cfg=built_in_model");
        println!("cargo:rustc-env=BUNRI_BUILT_IN_MODEL={model}");
    }
}
