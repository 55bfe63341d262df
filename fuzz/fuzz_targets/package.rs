//! Whole files: zip, pickle and safetensors, as `trainer import` reads them.
#![no_main]

use bunri_import::Package;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(package) = Package::read(bytes) else {
        return;
    };
    let _ = (package.class(), package.arguments(), package.keywords());
    let json = package.training().map(|training| training.to_json(16, &mut 1000));
    let _ = json.map(|json| json.to_string());
    let order: Vec<_> = match package.shapes() {
        Some(shapes) => shapes
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), shape.to_vec()))
            .collect(),
        None => vec![("a".to_owned(), vec![2, 8]), ("b".to_owned(), vec![3])],
    };
    if let Ok(weights) = package.weights(&order) {
        for array in weights.values() {
            // A tensor is never larger than the file that holds it, unless DiffQ packed it.
            assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
        }
    }
});
