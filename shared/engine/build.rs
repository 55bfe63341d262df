//! Tells the engine where libtorch lies at run time, gives it the name that a second plugin format
//! recognises it by, and finds the model to build in.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    // As installed: libtorch in the engine's folder, or in a folder of its own there.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN:$ORIGIN/libtorch");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libbunri_engine.so");
    // As built: the libtorch it was linked with. The tests link it, too.
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/default.safetensors");
    println!("cargo:rerun-if-changed={model}");
    println!("cargo:rustc-check-cfg=cfg(built_in_model)");
    if std::path::Path::new(model).exists() {
        println!("cargo:rustc-cfg=built_in_model");
        println!("cargo:rustc-env=BUNRI_BUILT_IN_MODEL={model}");
    }
}
