//! Tells the engine where libtorch lies at run time, and gives it the name that a second plugin
//! format recognises it by.

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
}
