//! Finds the model to build in.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(built_in_model)");
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/default.safetensors");
    println!("cargo:rerun-if-changed={model}");
    if std::path::Path::new(model).exists() {
        println!("cargo:rustc-cfg=built_in_model");
        println!("cargo:rustc-env=BUNRI_BUILT_IN_MODEL={model}");
    }
}
