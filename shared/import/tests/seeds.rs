//! Seeds of the fuzz targets, and whatever a fuzzer found once: each gives an error or a model,
//! never a panic.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use bunri_import::Package;

#[test]
fn every_seed_gives_an_error_or_a_model() {
    let (mut models, mut errors) = (0, 0);
    for folder in ["tests/seeds", "tests/files"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let Ok(package) = Package::read(&bytes) else {
                errors += 1;
                continue;
            };
            let json = package.training().map(|item| item.to_json(16, &mut 1000));
            let _ = json.map(|json| json.to_string());
            let order = [("a".to_owned(), vec![2, 8]), ("b".to_owned(), vec![3])];
            match package.weights(&order) {
                Ok(_) => models += 1,
                Err(_) => errors += 1,
            }
        }
    }
    println!("{models} models, {errors} errors");
    assert!(
        models >= 10 && errors >= 5,
        "{models} models, {errors} errors"
    );
}
