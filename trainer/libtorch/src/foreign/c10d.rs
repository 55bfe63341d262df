//! Processes that train the same weights.
#![allow(unsafe_code)] // The C interface of shim/c10d.cpp.

use std::ffi::{c_char, c_int};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use tch::Tensor;

use super::failure::{Failure, Opaque, TensorPointer, checked, made, pointers, taken, text};
use crate::Error;

unsafe extern "C" {
    fn bunri_c10d_store_host(port: u16, timeout_ms: i64, out: *mut *mut Opaque) -> Failure;
    fn bunri_c10d_store_connect(
        host: *const c_char,
        port: u16,
        timeout_ms: i64,
        out: *mut *mut Opaque,
    ) -> Failure;
    fn bunri_c10d_store_port(store: *const Opaque) -> u16;
    fn bunri_c10d_store_set(
        store: *mut Opaque,
        key: *const c_char,
        value: *const c_char,
    ) -> Failure;
    fn bunri_c10d_store_get(
        store: *mut Opaque,
        key: *const c_char,
        value: *mut *mut c_char,
    ) -> Failure;
    fn bunri_c10d_store_add(
        store: *mut Opaque,
        key: *const c_char,
        amount: i64,
        sum: *mut i64,
    ) -> Failure;
    fn bunri_c10d_store_close(store: *mut Opaque) -> Failure;
    fn bunri_c10d_group_join(
        store: *mut Opaque,
        prefix: *const c_char,
        rank: c_int,
        size: c_int,
        timeout_ms: i64,
        with_nccl: bool,
        out: *mut *mut Opaque,
    ) -> Failure;
    fn bunri_c10d_group_sum(
        group: *mut Opaque,
        tensors: *const TensorPointer,
        count: usize,
    ) -> Failure;
    fn bunri_c10d_group_broadcast(
        group: *mut Opaque,
        tensors: *const TensorPointer,
        count: usize,
        root: c_int,
    ) -> Failure;
    fn bunri_c10d_group_leave(group: *mut Opaque) -> Failure;
    fn bunri_c10d_reducer_make(
        group: *mut Opaque,
        parameters: *const TensorPointer,
        count: usize,
        bucket_bytes: usize,
        find_unused: bool,
        out: *mut *mut Opaque,
    ) -> Failure;
    fn bunri_c10d_reducer_prepare(
        reducer: *mut Opaque,
        outputs: *const TensorPointer,
        count: usize,
    ) -> Failure;
    fn bunri_c10d_reducer_drop(reducer: *mut Opaque) -> Failure;
}

/// Keys and values that all processes of a job share: libtorch's `TCPStore`.
///
/// One process hosts it, which is gone with that process. A store is one connection: threads that
/// share it wait for each other.
pub struct Store(NonNull<Opaque>);

// SAFETY: a `TCPStore` may be used and dropped by any thread, and guards every call by a mutex.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

impl Store {
    /// Hosts a store on `port` of all this machine's interfaces; port 0 is any that is free.
    ///
    /// # Errors
    /// The port is taken.
    pub fn host(port: u16, timeout: Duration) -> Result<Self, Error> {
        // SAFETY: `made` takes a pointer that lives as long as the call.
        made(&format!("hosting a store on port {port}"), |out| unsafe {
            bunri_c10d_store_host(port, millis(timeout), out)
        })
        .map(Self)
    }

    /// Connects to the store that another process hosts, or will within `timeout`.
    ///
    /// # Errors
    /// No such host; nobody answers within `timeout`.
    pub fn connect(host: &str, port: u16, timeout: Duration) -> Result<Self, Error> {
        let what = format!("connecting to the store at {host}:{port}");
        let host = text(&what, host)?;
        // SAFETY: both pointers live as long as the call.
        made(&what, |out| unsafe {
            bunri_c10d_store_connect(host.as_ptr(), port, millis(timeout), out)
        })
        .map(Self)
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        // SAFETY: the pointer is a live store's.
        unsafe { bunri_c10d_store_port(self.0.as_ptr()) }
    }

    /// Sets a key, without waiting for the host: others may read it a moment later, and certainly after
    /// the next answer that this store has had.
    ///
    /// # Errors
    /// The host is gone.
    pub fn set(&self, key: &str, value: &str) -> Result<(), Error> {
        let what = format!("setting {key} in the store");
        let (key, value) = (text(&what, key)?, text(&what, value)?);
        // SAFETY: the store is live, the strings live as long as the call.
        checked(&what, unsafe {
            bunri_c10d_store_set(self.0.as_ptr(), key.as_ptr(), value.as_ptr())
        })
    }

    /// The value of a key, if it has been set. Does not wait for it.
    ///
    /// # Errors
    /// The host is gone.
    pub fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let what = format!("reading {key} from the store");
        let key = text(&what, key)?;
        let mut value = ptr::null_mut();
        // SAFETY: the store is live, the pointers live as long as the call.
        checked(&what, unsafe {
            bunri_c10d_store_get(self.0.as_ptr(), key.as_ptr(), &raw mut value)
        })?;
        Ok(taken(value))
    }

    /// Adds to a number that starts at 0, and gives the sum.
    ///
    /// # Errors
    /// The host is gone.
    pub fn add(&self, key: &str, amount: i64) -> Result<i64, Error> {
        let what = format!("counting {key} in the store");
        let key = text(&what, key)?;
        let mut sum = 0;
        // SAFETY: the store is live, the pointers live as long as the call.
        checked(&what, unsafe {
            bunri_c10d_store_add(self.0.as_ptr(), key.as_ptr(), amount, &raw mut sum)
        })?;
        Ok(sum)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("port", &self.port()).finish()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: made by the shim and dropped once. A failure to close is nobody's concern.
        let _ = taken(unsafe { bunri_c10d_store_close(self.0.as_ptr()) });
    }
}

/// What carries CUDA tensors from rank to rank. CPU tensors always go through Gloo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Gloo, by way of the host's memory: also where several ranks share a GPU.
    Gloo,
    /// NCCL, from GPU to GPU: needs libtorch's CUDA build and a GPU per rank.
    Nccl,
}

/// The processes of a job as one: collectives over tensors.
///
/// All ranks must call the same functions in the same order, with tensors of the same shapes.
pub struct Group {
    pointer: NonNull<Opaque>,
    size: usize,
}

// SAFETY: a process group may be used and dropped by any one thread at a time.
unsafe impl Send for Group {}

impl Group {
    /// Connects this process to all others of the group; each waits for all.
    ///
    /// `prefix` separates groups that share a store. No collective waits longer than `timeout`.
    ///
    /// # Errors
    /// A rank that does not come within `timeout`; no NCCL in this libtorch.
    pub fn join(
        store: &Store,
        prefix: &str,
        rank: usize,
        size: usize,
        backend: Backend,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let what = format!("joining {size} processes as rank {rank}");
        let prefix = text(&what, prefix)?;
        let (Ok(c_rank), Ok(c_size)) = (c_int::try_from(rank), c_int::try_from(size)) else {
            return Err(Error {
                what,
                reason: "too many".into(),
            });
        };
        // SAFETY: the store is live, the pointers live as long as the call; the group holds the
        // store's insides on its own.
        let pointer = made(&what, |out| unsafe {
            bunri_c10d_group_join(
                store.0.as_ptr(),
                prefix.as_ptr(),
                c_rank,
                c_size,
                millis(timeout),
                backend == Backend::Nccl,
                out,
            )
        })?;
        Ok(Self { pointer, size })
    }

    /// How many processes there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Puts the sum over all ranks in the place of every tensor.
    ///
    /// # Errors
    /// A rank that is gone or does not come within the timeout.
    pub fn sum(&self, tensors: &[Tensor]) -> Result<(), Error> {
        let pointers = pointers(tensors);
        // SAFETY: the group is live, and so are the tensors, which the shim shares while it works.
        checked("summing over all ranks", unsafe {
            bunri_c10d_group_sum(self.pointer.as_ptr(), pointers.as_ptr(), pointers.len())
        })
    }

    /// Puts the tensors of rank `root` in the place of all others'.
    ///
    /// # Errors
    /// A rank that is gone or does not come within the timeout.
    pub fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<(), Error> {
        let pointers = pointers(tensors);
        let root = c_int::try_from(root).unwrap_or(c_int::MAX);
        // SAFETY: as in `sum`.
        checked("broadcasting to all ranks", unsafe {
            bunri_c10d_group_broadcast(
                self.pointer.as_ptr(),
                pointers.as_ptr(),
                pointers.len(),
                root,
            )
        })
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("size", &self.size).finish()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: made by the shim and dropped once; Reducers hold its insides on their own.
        let _ = taken(unsafe { bunri_c10d_group_leave(self.pointer.as_ptr()) });
    }
}

/// DistributedDataParallel's engine: averages gradients over all ranks while the backward pass
/// still runs, bucket by bucket.
pub struct Reducer {
    pointer: NonNull<Opaque>,
    /// Its hooks run in the backward pass of the thread that calls it.
    not_sync: PhantomData<*mut ()>,
}

// SAFETY: may move to another thread between two backward passes.
unsafe impl Send for Reducer {}

impl Reducer {
    /// Hooks into the backward pass of `parameters`, leaves that require gradients, all on one
    /// device, the last used in the forward pass first: their gradients come first.
    ///
    /// All ranks must give parameters of the same shapes, which is checked here. Gradients are
    /// summed in buckets of at most `bucket_bytes`. `find_unused` lets a backward pass leave some
    /// parameters out, at the cost of a walk through the graph.
    ///
    /// # Errors
    /// Shapes that differ between ranks; a rank that is gone; a tensor that requires no gradient.
    pub fn new(
        group: &Group,
        parameters: &[Tensor],
        bucket_bytes: usize,
        find_unused: bool,
    ) -> Result<Self, Error> {
        let pointers = pointers(parameters);
        // SAFETY: the group is live; the Reducer shares the group and the tensors from here on.
        let pointer = made("preparing to average gradients", |out| unsafe {
            bunri_c10d_reducer_make(
                group.pointer.as_ptr(),
                pointers.as_ptr(),
                pointers.len(),
                bucket_bytes,
                find_unused,
                out,
            )
        })?;
        Ok(Self {
            pointer,
            not_sync: PhantomData,
        })
    }

    /// The next backward pass, which starts at `outputs`, leaves the averages over all ranks as the
    /// gradients. Without this call a backward pass adds to this rank's own gradients.
    ///
    /// # Errors
    /// A rank that is gone; a backward pass before this one that left parameters out.
    pub fn prepare(&mut self, outputs: &[Tensor]) -> Result<(), Error> {
        let pointers = pointers(outputs);
        // SAFETY: the Reducer is live, the tensors live as long as the call.
        checked("preparing a backward pass", unsafe {
            bunri_c10d_reducer_prepare(self.pointer.as_ptr(), pointers.as_ptr(), pointers.len())
        })
    }
}

impl fmt::Debug for Reducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reducer")
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: made by the shim and dropped once; it takes its hooks with it.
        let _ = taken(unsafe { bunri_c10d_reducer_drop(self.pointer.as_ptr()) });
    }
}

fn millis(timeout: Duration) -> i64 {
    i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)
}
