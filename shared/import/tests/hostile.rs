//! Pickles that no program writes: each ends with an error that says why, soon and in little memory.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

use std::io::{Cursor, Write};

use bunri_import::{ImportError, Package};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A torch file with one storage, `0`, of 8 bytes.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, data) in [("m/data.pkl", pickle), ("m/data/0", &[0u8; 8])] {
        zip.start_file(name, options).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn error_of(pickle: &[u8]) -> String {
    let bytes = archive(pickle);
    let package = Package::read(&bytes);
    package.map(|_| ()).unwrap_err().to_string()
}

/// `{"weight": <tensor>}` with a storage of `elements` floats and a view of it.
fn tensor(elements: &[u8], offset: &[u8], shape: &[u8], stride: &[u8]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu");
    pickle.extend(elements);
    pickle.extend(b"tQ");
    for part in [offset, shape, stride] {
        pickle.extend(part);
    }
    pickle.extend(b"\x89NtRs.");
    pickle
}

/// Guards the harness: with honest numbers the same bytes are a model.
#[test]
fn an_honest_tensor_of_the_same_form_is_read() {
    let bytes = archive(&tensor(b"K\x02", b"K\0", b"K\x02\x85", b"K\x01\x85"));
    let package = Package::read(&bytes).unwrap();
    assert_eq!(package.weights(&[]).unwrap()["weight"].values, [0.0, 0.0]);
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let huge = b"\x8a\x07\0\0\0\0\0\0\x10"; // 2^52
    let huge_tuple = [&huge[..], b"\x85"].concat();
    let claims = tensor(huge, b"K\0", b"K\x02\x85", b"K\x01\x85");
    assert!(error_of(&claims).contains("it has 8"));
    for (offset, shape, stride) in [
        (&b"K\0"[..], &huge_tuple[..], &b"K\0\x85"[..]),
        (b"K\0", b"K\x02\x85", &huge_tuple),
        (huge, b"K\x02\x85", b"K\x01\x85"),
    ] {
        let error = error_of(&tensor(b"K\x02", offset, shape, stride));
        assert!(error.contains("storage"), "{error}");
    }
    let negative = tensor(b"K\x02", b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85");
    assert!(error_of(&negative).contains("negative"));
}

/// Guards against exponential work: 2^100 leaves, in a hundred tuples of the one before, twice.
#[test]
fn a_memo_bomb_costs_no_more_than_its_bytes() {
    let mut pickle = b"\x80\x02)q\0".to_vec();
    for _ in 0..100 {
        pickle.extend(b"h\0\x86q\0");
    }
    pickle.push(b'.');
    assert!(error_of(&pickle).contains("a tuple"));
    // The same where it is looked at: in the notes on the training.
    let mut pickle = b"\x80\x02}(X\x05\0\0\0klasscdemucs.model\nDemucs\n".to_vec();
    pickle
        .extend(b"X\x04\0\0\0args)X\x06\0\0\0kwargs}X\x05\0\0\0state}X\x0d\0\0\0training_args)q\0");
    for _ in 0..100 {
        pickle.extend(b"h\0\x86q\0");
    }
    pickle.extend(b"u.");
    let bytes = archive(&pickle);
    let package = Package::read(&bytes).unwrap();
    let mut budget = 1000;
    let json = package.training().unwrap().to_json(200, &mut budget);
    assert_eq!(budget, 0);
    drop(json);
}

/// Guards the stack of the program itself: reading, looking and dropping must not recurse.
#[test]
fn depth_and_cycles_are_no_danger() {
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(b"]".repeat(300_000));
    pickle.extend(b"a".repeat(299_999));
    pickle.push(b'.');
    assert!(error_of(&pickle).contains("a list"));
    // {"compressed": itself}, then itself as its own state.
    assert!(Package::read(&archive(b"\x80\x02}q\0X\x0a\0\0\0compressedh\0s.")).is_ok());
    let bytes = archive(b"\x80\x02}q\0X\x09\0\0\0quantizedh\0s.");
    let package = Package::read(&bytes).unwrap();
    assert!(package.weights(&[("a".into(), vec![1])]).is_err());
}

#[test]
fn growth_without_end_is_refused() {
    let million = 1_000_001;
    for instructions in [&b"N"[..], b"("] {
        let mut pickle = b"\x80\x02".to_vec();
        pickle.extend(instructions.repeat(million));
        let error = error_of(&pickle);
        assert!(error.contains("the limit is 1000000"), "{error}");
    }
    let mut recalls = b"\x80\x02Nq\0".to_vec();
    recalls.extend(b"h\0".repeat(million));
    assert!(error_of(&recalls).contains("on its stack"));
    // One text made into bytes again and again.
    let mut encodes = b"\x80\x02c_codecs\nencode\nq\0X\0\x04\0\0".to_vec();
    encodes.extend(b"x".repeat(1024));
    encodes.extend(b"q\x01");
    encodes.extend(b"h\0h\x01\x85R".repeat(100));
    assert!(error_of(&encodes).contains("again and again"));
}

#[test]
fn instructions_and_names_beyond_the_list_are_refused() {
    for (pickle, words) in [
        // Protocol 0's calls, by `INST` and by `OBJ`.
        (&b"\x80\x02(ios\nsystem\n."[..], "instruction 0x69"),
        (b"\x80\x02(cbuiltins\neval\no.", "builtins.eval"),
        (b"\x80\x02cbuiltins\neval\n.", "builtins.eval"),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x04N.", "protocol"),
        (b"\x80\x02\x93.", "instruction 0x93"),
        (b"\x80\x02.", "a value is missing"),
        (b"\x80\x02(N.", "left over"),
        (b"\x80\x02N(0.", "instruction 0x30"),
        (b"\x80\x02}(NtQ.", "storage's description"),
        (b"\x80\x02h\x07.", "never remembered"),
        (b"\x80\x02N)R.", "no function"),
        (b"\x80\x02X\xff\xff\xff\xff", "ends too early"),
        (b"", "ends too early"),
    ] {
        let error = error_of(pickle);
        assert!(error.contains(words), "{error}");
    }
}

/// Guards against zip files that torch never writes: compressed entries can inflate without end.
#[test]
fn compressed_and_overlapping_entries_are_refused() {
    let mut zip = archive(b"\x80\x02N.");
    // The method of the first entry of the central directory, said to be deflate.
    let directory = zip
        .windows(4)
        .position(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    zip[directory + 10] = 8;
    zip[8] = 8;
    let error = Package::read(&zip).map(|_| ()).unwrap_err();
    assert!(matches!(error, ImportError::Archive(_)), "{error}");
    let mut zip = archive(b"\x80\x02N.");
    // The second entry's header at the first one's place.
    let mut signatures = zip.windows(4).enumerate();
    let (second, _) = signatures
        .rfind(|(_, bytes)| *bytes == b"PK\x01\x02")
        .unwrap();
    zip[second + 42..second + 46].fill(0);
    let error = Package::read(&zip).map(|_| ()).unwrap_err();
    assert!(matches!(error, ImportError::Archive(_)), "{error}");
}
