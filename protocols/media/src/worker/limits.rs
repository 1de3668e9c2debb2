//! What the media process forbids itself before it looks at a camera's bytes: resource limits, and a list of system calls (seccomp,
//! `man 2 seccomp`) that holds no file, no socket, no process and no memory that is executable. Any other ends it at once.

use std::{collections::BTreeMap, env::consts::ARCH, io};

use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};
use thiserror::Error;

/// Address space: a picture of 8 megapixels with 16 reference frames, and room.
const MEMORY: u64 = 512 * 1024 * 1024;
/// Seconds of a processor, after which the kernel ends it. It retires before.
pub(super) const PROCESSOR_SECONDS: u64 = 120;

/// Why it does not serve.
#[derive(Debug, Error)]
pub enum LimitError {
    #[error("the media process cannot limit its {what}")]
    Resource {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(
        "pictures are not decoded on this kind of processor ({ARCH}): the decoder cannot be shut in"
    )]
    Processor(#[source] BackendError),
    #[error("the media process cannot shut itself in; does the kernel have seccomp?")]
    Seccomp(#[from] seccompiler::Error),
}

/// Limits this process for good.
///
/// # Errors
///
/// When the system refuses, or the processor is of a kind that the filter is not known for.
pub fn restrict() -> Result<(), LimitError> {
    let limits = [
        (Resource::As, MEMORY, "memory"),
        (Resource::Cpu, PROCESSOR_SECONDS, "processor time"),
        (Resource::Nofile, 3, "open files"),
        (Resource::Fsize, 0, "file size"),
        (Resource::Core, 0, "core dumps"),
    ];
    for (resource, most, what) in limits {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit).map_err(|error| LimitError::Resource {
            what,
            source: error.into(),
        })?;
    }
    let arch = TargetArch::try_from(ARCH).map_err(LimitError::Processor)?;
    let program = program(arch).map_err(seccompiler::Error::Backend)?;
    // This sets no_new_privs as well, without which the kernel takes no filter.
    apply_filter_all_threads(&program)?;
    Ok(())
}

/// The list. Everything that is not on it ends the process.
fn program(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in [
        // Memory is given back, and moved.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        // Locks of the allocator and of the standard library.
        libc::SYS_futex,
        libc::SYS_sched_yield,
        // How many processors there are, which the decoder asks for each picture.
        libc::SYS_sched_getaffinity,
        // The processor time it used.
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        // Signals that are its own, and its end.
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ] {
        rules.insert(call, Vec::new());
    }
    // Jobs are read, answers and words are written, and no other file is touched.
    rules.insert(libc::SYS_read, vec![when(0, SeccompCmpOp::Eq, 0)?]);
    for call in [libc::SYS_write, libc::SYS_writev] {
        let outputs = vec![when(0, SeccompCmpOp::Eq, 1)?, when(0, SeccompCmpOp::Eq, 2)?];
        rules.insert(call, outputs);
    }
    let executable = number(libc::PROT_EXEC);
    let anonymous = number(libc::MAP_ANONYMOUS);
    let not_executable = |and: Vec<SeccompCondition>| {
        let mut all = vec![condition(2, SeccompCmpOp::MaskedEq(executable), 0)?];
        all.extend(and);
        SeccompRule::new(all)
    };
    let of_no_file = condition(3, SeccompCmpOp::MaskedEq(anonymous), anonymous)?;
    rules.insert(libc::SYS_mmap, vec![not_executable(vec![of_no_file])?]);
    rules.insert(libc::SYS_mprotect, vec![not_executable(Vec::new())?]);
    // An abort, which is how C++ and the allocator give up.
    let abort = number(libc::SIGABRT);
    rules.insert(libc::SYS_tgkill, vec![when(2, SeccompCmpOp::Eq, abort)?]);
    SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        arch,
    )?
    .try_into()
}

fn when(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition(argument, compare, value)?])
}

fn condition(
    argument: u8,
    compare: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)
}

/// A constant of the C library, none of which is negative here.
fn number(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}
