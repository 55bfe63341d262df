//! The parameters' ids, ranges, steps and defaults against the committed list.
#![allow(unsafe_code)] // nice-plug gives parameters out as raw pointers.

use bunri_plugin::params::BunriParams;
use nice_plug::prelude::{Param, ParamPtr, Params};

const COMMITTED: &str = include_str!("parameter_ids.txt");

/// Guards against a renamed or rescaled parameter: hosts save ids and normalised values, so either
/// would change how every project sounds that was ever saved.
#[test]
fn parameters_are_those_of_the_committed_list() {
    let params = BunriParams::default();
    let mut lines: Vec<String> = params
        .param_map()
        .into_iter()
        .map(|(id, pointer, _group)| {
            // SAFETY: `params` lives until the end of this function.
            let values = unsafe {
                match pointer {
                    ParamPtr::FloatParam(param) => numbers(&*param),
                    ParamPtr::BoolParam(param) => {
                        format!("switch {}", (*param).default_plain_value())
                    }
                    _ => panic!("{id}: a kind of parameter that the list does not know"),
                }
            };
            format!("{id} {values}")
        })
        .collect();
    lines.sort();
    let committed: Vec<_> = COMMITTED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines, committed);
}

/// With the value at a quarter of the way, which another scale or step would move.
fn numbers(param: &impl Param<Plain = f32>) -> String {
    format!(
        "number {} to {}, {} at a quarter, default {}",
        param.preview_plain(0.0),
        param.preview_plain(1.0),
        param.preview_plain(0.25),
        param.default_plain_value()
    )
}
