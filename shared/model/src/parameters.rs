//! Names, shapes and initial values of a network's weights, known before anything is allocated.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::config_error::ConfigError;

/// A network's weights by name; the name is the tensor's path in the code and in a checkpoint.
pub type Parameters = BTreeMap<String, Tensor>;

/// One tensor of a network, before it exists.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// E.g. `encoder.0.2.weight`, as in the reference package.
    pub name: String,
    /// Shape as in torch: convolutions `[out, in, kernel]`, transposed ones `[in, out, kernel]`.
    pub shape: Vec<i64>,
    /// How a new network begins.
    pub init: Init,
}

/// Initial values of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform within ± this (torch's default is `1 / sqrt(fan in)`).
    Uniform(f64),
    /// As `Uniform`, and part of a convolution whose weight and bias are rescaled together.
    Convolution(f64),
    /// Normal around 0 with this standard deviation.
    Normal(f64),
    /// Neighbours alike: normal, summed up along the first axis, the n-th sum divided by √n.
    SmoothNormal(f64),
    /// This value everywhere.
    Constant(f64),
}

/// Why given tensors are not the parameters of a config.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum ParameterError {
    /// The config itself is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tensor that the config needs is not there.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor is there that the config has no place for.
    #[error("tensor {0} does not belong to this architecture")]
    Unexpected(String),
    /// A tensor has another shape than the config says.
    #[error("tensor {name} has shape {got:?}, the config needs {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Shape by the config.
        expected: Vec<i64>,
        /// Shape found.
        got: Vec<i64>,
    },
}

/// How many values the tensors hold in all.
#[must_use]
pub fn parameter_count(specs: &[ParameterSpec]) -> usize {
    specs
        .iter()
        .map(|spec| spec.shape.iter().map(|&n| n as usize).product::<usize>())
        .sum()
}

/// Holds names and shapes of tensors against what a config asks for, without touching their data.
///
/// # Errors
/// The first [`ParameterError`] found.
pub fn check_shapes<'a>(
    specs: Vec<ParameterSpec>,
    shapes: impl Iterator<Item = (&'a str, Vec<i64>)>,
) -> Result<(), ParameterError> {
    let mut expected: BTreeMap<String, Vec<i64>> = specs
        .into_iter()
        .map(|spec| (spec.name, spec.shape))
        .collect();
    for (name, got) in shapes {
        let shape = expected
            .remove(name)
            .ok_or_else(|| ParameterError::Unexpected(name.into()))?;
        if shape != got {
            return Err(ParameterError::Shape {
                name: name.into(),
                expected: shape,
                got,
            });
        }
    }
    match expected.into_keys().next() {
        Some(name) => Err(ParameterError::Missing(name)),
        None => Ok(()),
    }
}

/// Takes the tensors that the specs ask for, no others, to `device`.
///
/// # Errors
/// [`ParameterError`] if names or shapes differ.
pub(crate) fn checked(
    specs: Vec<ParameterSpec>,
    mut parameters: Parameters,
    device: Device,
) -> Result<Parameters, ParameterError> {
    let shapes = parameters
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.size()));
    check_shapes(specs, shapes)?;
    for tensor in parameters.values_mut() {
        *tensor = tensor.to_device(device);
    }
    Ok(parameters)
}

/// Draws initial values with torch's global generator, after seeding it.
///
/// Convolutions are rescaled as in Demucs: weight and bias divided by
/// `sqrt(std(weight) / rescale)`; `rescale` 0 leaves them as drawn.
pub(crate) fn untrained(specs: &[ParameterSpec], rescale: f64, seed: i64) -> Parameters {
    tch::manual_seed(seed);
    tch::no_grad(|| {
        let mut parameters = Parameters::new();
        for spec in specs {
            let mut values = Tensor::empty(&spec.shape[..], (Kind::Float, Device::Cpu));
            let values = match spec.init {
                Init::Uniform(bound) | Init::Convolution(bound) => values.uniform(-bound, bound),
                Init::Normal(deviation) => values.normal_(0.0, deviation),
                Init::SmoothNormal(deviation) => {
                    let sums = values.normal_(0.0, deviation).cumsum(0, None::<Kind>);
                    let terms =
                        Tensor::arange_start(1, spec.shape[0] + 1, (Kind::Float, Device::Cpu));
                    let columns = vec![1; spec.shape.len() - 1];
                    sums / terms.sqrt().view(&[&[-1], &columns[..]].concat()[..])
                }
                Init::Constant(value) => values.fill(value),
            };
            parameters.insert(spec.name.clone(), values);
        }
        if rescale > 0.0 {
            let is_weight = |spec: &&ParameterSpec| {
                matches!(spec.init, Init::Convolution(_)) && spec.name.ends_with("weight")
            };
            for weight in specs.iter().filter(is_weight) {
                let scale = (parameters[&weight.name].std(true) / rescale).sqrt();
                for name in [weight.name.clone(), weight.name.replace("weight", "bias")] {
                    if let Some(values) = parameters.get_mut(&name) {
                        *values = &*values / &scale;
                    }
                }
            }
        }
        parameters
    })
}

/// Collects the specs of a network, part by part, with torch's default initial values.
#[derive(Debug, Default)]
pub(crate) struct SpecList {
    specs: Vec<ParameterSpec>,
}

impl SpecList {
    /// Any tensor.
    pub(crate) fn push(&mut self, name: impl Into<String>, shape: &[usize], init: Init) {
        self.specs.push(ParameterSpec {
            name: name.into(),
            shape: shape.iter().map(|&n| n as i64).collect(),
            init,
        });
    }

    /// Weight and bias of a convolution: `[outputs, inputs / groups, kernel ..]`.
    pub(crate) fn convolution(&mut self, prefix: &str, shape: &[usize]) {
        let bound = 1.0 / (shape[1..].iter().product::<usize>() as f64).sqrt();
        self.push(format!("{prefix}.weight"), shape, Init::Convolution(bound));
        self.push(
            format!("{prefix}.bias"),
            &shape[..1],
            Init::Convolution(bound),
        );
    }

    /// Weight and bias of a transposed convolution: `[inputs, outputs, kernel ..]`, whose fan-in
    /// torch takes from the second axis.
    pub(crate) fn transposed_convolution(&mut self, prefix: &str, shape: &[usize]) {
        let bound = 1.0 / (shape[1..].iter().product::<usize>() as f64).sqrt();
        self.push(format!("{prefix}.weight"), shape, Init::Convolution(bound));
        self.push(
            format!("{prefix}.bias"),
            &shape[1..2],
            Init::Convolution(bound),
        );
    }

    /// Weight and bias of a linear layer.
    pub(crate) fn linear(&mut self, prefix: &str, outputs: usize, inputs: usize) {
        let bound = 1.0 / (inputs as f64).sqrt();
        self.push(
            format!("{prefix}.weight"),
            &[outputs, inputs],
            Init::Uniform(bound),
        );
        self.push(format!("{prefix}.bias"), &[outputs], Init::Uniform(bound));
    }

    /// An LSTM; its tensors in the order in which torch wants them are [`lstm_names`].
    pub(crate) fn lstm(&mut self, prefix: &str, shape: LstmShape) {
        let LstmShape {
            inputs,
            hidden,
            layers,
            is_bidirectional,
        } = shape;
        let init = Init::Uniform(1.0 / (hidden as f64).sqrt());
        let directions = if is_bidirectional { 2 } else { 1 };
        for name in lstm_names(prefix, layers, is_bidirectional) {
            let inputs = if name.contains("_l0") {
                inputs
            } else {
                directions * hidden
            };
            let name = name.as_str();
            if name.contains(".weight_ih") {
                self.push(name, &[4 * hidden, inputs], init);
            } else if name.contains(".weight_hh") {
                self.push(name, &[4 * hidden, hidden], init);
            } else {
                self.push(name, &[4 * hidden], init);
            }
        }
    }

    /// All of them, in the order in which they were pushed.
    pub(crate) fn into_specs(self) -> Vec<ParameterSpec> {
        self.specs
    }
}

/// Sizes of an LSTM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LstmShape {
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) is_bidirectional: bool,
}

/// The names of an LSTM's tensors, in the order in which torch wants them.
pub(crate) fn lstm_names(prefix: &str, layers: usize, is_bidirectional: bool) -> Vec<String> {
    let directions: &[&str] = if is_bidirectional {
        &["", "_reverse"]
    } else {
        &[""]
    };
    let mut names = Vec::new();
    for layer in 0..layers {
        for direction in directions {
            for kind in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
                names.push(format!("{prefix}.{kind}_l{layer}{direction}"));
            }
        }
    }
    names
}

/// A part of the tree of parameters, e.g. all below `encoder.0`.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    parameters: &'a Parameters,
    prefix: String,
}

impl<'a> Scope<'a> {
    /// The whole tree.
    pub(crate) fn root(parameters: &'a Parameters) -> Self {
        Self {
            parameters,
            prefix: String::new(),
        }
    }

    /// The part below `name`, a field or an index.
    pub(crate) fn at(&self, name: impl std::fmt::Display) -> Self {
        Self {
            parameters: self.parameters,
            prefix: self.path(name),
        }
    }

    /// The tensor `name` of this part, sharing storage with the parameters.
    ///
    /// # Panics
    /// If it is not there: networks check all names before they take any.
    pub(crate) fn tensor(&self, name: impl std::fmt::Display) -> Tensor {
        self.parameters[&self.path(name)].shallow_clone()
    }

    /// The tensors of the LSTM `name` of this part, in torch's order.
    pub(crate) fn lstm(&self, name: &str, layers: usize, is_bidirectional: bool) -> Vec<Tensor> {
        lstm_names(&self.path(name), layers, is_bidirectional)
            .iter()
            .map(|name| self.parameters[name].shallow_clone())
            .collect()
    }

    fn path(&self, name: impl std::fmt::Display) -> String {
        if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }
}
