//! Pickles alone, in an archive that is always sound: the checksums of whole files keep a fuzzer out.
#![no_main]

use std::io::{Cursor, Write};

use bunri_import::Package;
use libfuzzer_sys::fuzz_target;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, data) in [("m/data.pkl", pickle), ("m/data/0", &[7u8; 4096]), ("m/data/1", &[1; 24])] {
        zip.start_file(name, options).expect("memory is not full");
        zip.write_all(data).expect("memory is not full");
    }
    zip.finish().expect("memory is not full").into_inner()
}

fuzz_target!(|pickle: &[u8]| {
    let bytes = archive(pickle);
    let Ok(package) = Package::read(&bytes) else {
        return;
    };
    let json = package.training().map(|training| training.to_json(16, &mut 1000));
    let _ = json.map(|json| json.to_string());
    let _ = package.weights(&[("a".to_owned(), vec![2, 8]), ("b".to_owned(), vec![3])]);
});
