//! Gradients as averages over all ranks.

use std::sync::Arc;

use anyhow::Result;
use bunri_libtorch::backward;
use tch::Tensor;

use super::Cluster;
use super::cluster::Link;

/// Averages the gradients of some parameters over all ranks while the backward pass still runs.
///
/// One per set of parameters that is stepped together: generator and discriminator have one each.
#[derive(Debug)]
pub struct Reducer {
    ddp: Option<(bunri_libtorch::Reducer, Arc<Link>)>,
}

impl Reducer {
    /// For `parameters`, leaves that require gradients, in the order of their use in the forward
    /// pass. Where a backward pass may leave some of them out, `find_unused` must be true; it costs
    /// a walk through the graph.
    ///
    /// # Errors
    /// Shapes that differ between ranks; lost ranks.
    pub fn new(cluster: &Cluster, parameters: &[Tensor], find_unused: bool) -> Result<Self> {
        let Some(link) = cluster.link() else {
            return Ok(Self { ddp: None });
        };
        link.begin();
        // The gradients of what was used last come first.
        let reversed: Vec<Tensor> = parameters.iter().rev().map(Tensor::shallow_clone).collect();
        let made = bunri_libtorch::Reducer::new(
            &link.group(),
            &reversed,
            link.bucket_bytes(),
            find_unused,
        );
        let ddp = cluster.explain(made)?;
        Ok(Self {
            ddp: Some((ddp, Arc::clone(link))),
        })
    }

    /// The next backward pass, which starts at `outputs`, ends with averages over all ranks.
    ///
    /// Call it before the last pass of a step only, where a step accumulates several: the passes
    /// before add to this rank's own gradients.
    ///
    /// # Errors
    /// Lost ranks; a prepared pass before this one that left parameters out.
    pub fn prepare(&mut self, cluster: &Cluster, outputs: &[Tensor]) -> Result<()> {
        let Some((ddp, link)) = &mut self.ddp else {
            return Ok(());
        };
        link.begin();
        cluster.explain(ddp.prepare(outputs))
    }

    /// A prepared backward pass from `output` on, towards which the loss has the gradient `gradient`.
    ///
    /// # Errors
    /// Lost ranks; what else the pass fails of, as memory that is used up.
    pub fn backward(
        &mut self,
        cluster: &Cluster,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<()> {
        self.prepare(cluster, std::slice::from_ref(output))?;
        cluster.explain(backward(output, gradient))
    }
}
