//! `Guarded`: bytes of a server to be decoded, that end a decoding that goes too deep before the stack does.
//!
//! The library decodes a DataValue within a Variant, and a DiagnosticInfo within another, by recursion without a limit:
//! four million levels fit into one message. Each level reads at least one byte, so the reader sees them all.

use std::{
    cell::Cell,
    io::{self, Read},
};

/// How much of the stack one decoding may take; the threads of the runtime have 2 MiB.
const MAX_STACK_BYTES: usize = 512 << 10;

thread_local! {
    /// Where the stack was when the outermost decoding on this thread began.
    static OUTERMOST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A reader of bytes that knows how deep it is read from, also when it is within another one.
#[derive(Debug)]
pub(crate) struct Guarded<'a> {
    rest: &'a [u8],
    /// Where the stack was when decoding began.
    stack: usize,
    outermost: bool,
}

// === impl Guarded ===

impl<'a> Guarded<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let outer = OUTERMOST.get();
        let stack = outer.unwrap_or_else(stack_address);
        OUTERMOST.set(Some(stack));
        Self {
            rest: bytes,
            stack,
            outermost: outer.is_none(),
        }
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        if self.outermost {
            OUTERMOST.set(None);
        }
    }
}

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if stack_address().abs_diff(self.stack) > MAX_STACK_BYTES {
            return Err(io::Error::other("the value is nested too deeply"));
        }
        self.rest.read(buffer)
    }
}

/// The address of something on the stack right here.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

#[cfg(test)]
mod tests {
    use opcua::types::{BinaryDecodable, ContextOwned, DataValue, DiagnosticInfo, Variant};

    use super::*;

    /// On a thread as small as the runtime's.
    fn refused<T: BinaryDecodable>(bytes: Vec<u8>) -> bool {
        let decode = move || {
            let context = ContextOwned::default();
            T::decode(&mut Guarded::new(&bytes), &context.context()).is_err()
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        thread.spawn(decode).unwrap().join().unwrap()
    }

    #[test]
    fn what_is_nested_without_end_is_refused_before_the_stack_ends() {
        for depth in [10_000, 2_000_000] {
            assert!(refused::<DiagnosticInfo>(vec![0x40; depth]));
            assert!(refused::<DataValue>([0x01, 0x17].repeat(depth)));
            assert!(refused::<Variant>([0x18].repeat(depth)));
        }
    }

    #[test]
    fn what_is_nested_a_little_is_read() {
        let mut bytes = vec![0x40; 50];
        bytes.push(0);
        assert!(!refused::<DiagnosticInfo>(bytes));
    }
}
