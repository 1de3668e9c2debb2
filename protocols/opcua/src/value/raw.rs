//! `RawLoader`: leaves the body of an ExtensionObject as its bytes, within our limits.

use std::io::Read;

use opcua::types::{
    ByteString, Context, DynEncodable, EncodingResult, Error, NodeId, TypeLoader,
    TypeLoaderPriority, type_loader::ByteStringBody,
};

/// A structure of more bytes is not read.
pub(crate) const MAX_BODY_BYTES: usize = 4 << 20;

/// The library's own fallback believes any length, and allocates it before it reads.
#[derive(Debug)]
pub(crate) struct RawLoader;

impl TypeLoader for RawLoader {
    fn load_from_binary(
        &self,
        node_id: &NodeId,
        stream: &mut dyn Read,
        _: &Context<'_>,
        length: Option<usize>,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        let length = length?;
        Some(body(stream, length).map(|bytes| {
            Box::new(ByteStringBody::new(
                ByteString::from(bytes),
                node_id.clone(),
            )) as Box<dyn DynEncodable>
        }))
    }

    /// After the library's own types, and before its fallback.
    fn priority(&self) -> TypeLoaderPriority {
        TypeLoaderPriority::Dynamic(1_000)
    }
}

/// So many bytes, and memory only for those that are there.
pub(super) fn body(stream: &mut dyn Read, length: usize) -> EncodingResult<Vec<u8>> {
    if length > MAX_BODY_BYTES {
        return Err(Error::decoding("a structure has too many bytes"));
    }
    let mut bytes = Vec::new();
    stream
        .take(length as u64)
        .read_to_end(&mut bytes)
        .map_err(Error::decoding)?;
    if bytes.len() < length {
        return Err(Error::decoding("a structure ends before its length says"));
    }
    Ok(bytes)
}
