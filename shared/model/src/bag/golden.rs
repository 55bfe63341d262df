//! Equality with the reference package at the same weights; see [`crate::hybrid::golden`].

use tch::Device;

use super::{Bag, BagConfig};
use crate::NetworkConfig;
use crate::golden::print_head;
use crate::hybrid::golden::{TOLERANCE, error_of, load};

fn bag(change: impl FnOnce(&mut BagConfig)) -> Bag {
    let network = load("bag");
    let NetworkConfig::Bag(mut config) = network.config() else {
        panic!("not a bag");
    };
    change(&mut config);
    let parameters = network.parameters().iter();
    let parameters = parameters.map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
    Bag::from_parameters(config, parameters.collect(), Device::Cpu).unwrap()
}

/// Guards weights per model and stem, one of them zero, and their normalisation.
#[test]
fn bags_equal_the_reference() {
    print_head();
    let weighted = error_of("bag", &bag(|_| ()));
    let equal = error_of("bag-equal", &bag(|config| config.weights = None));
    assert!(weighted < TOLERANCE, "bag: {weighted}");
    assert!(equal < TOLERANCE, "bag-equal: {equal}");
}
