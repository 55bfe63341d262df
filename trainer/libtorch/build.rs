//! Compiles the shim over libtorch, and tells this crate's tests where libtorch lies.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let Ok(libtorch) = std::env::var("LIBTORCH") else {
        panic!("LIBTORCH is not set: run `cargo bundler setup` and build inside of the checkout");
    };
    let include = PathBuf::from(&libtorch).join("include");
    assert!(
        include.join("torch/csrc/distributed/c10d").exists(),
        "{} lacks the headers of c10d: run `cargo bundler setup`",
        include.display()
    );
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .files(
            ["common", "c10d", "training", "counting", "recompute"]
                .map(|name| format!("shim/{name}.cpp")),
        )
        // Before libtorch's, whose headers include Gloo's.
        .include("shim")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        // As torch-sys: the wheel's own choice, and warnings of headers that are not ours.
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .warnings(false)
        // Of libtorch's headers mostly: half of each object file, and linked into every program.
        .debug(false)
        .compile("bunri_libtorch_shim");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
}
