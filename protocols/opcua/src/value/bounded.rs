//! `BoundedLoader`: an ExtensionObject is read within its own length, and what does not fit stays bytes.

use std::io::Read;

use opcua::types::{
    ByteString, Context, DynEncodable, EncodingResult, GeneratedTypeLoader, NodeId, TypeLoader,
    TypeLoaderPriority, type_loader::ByteStringBody,
};

use super::{guarded::Guarded, raw};

/// The library's own types where they fit. A body that says it is longer than its type, or whose type does not read its
/// bytes, would otherwise make the rest of the message unreadable, and so cost all of its neighbours.
#[derive(Debug)]
pub(crate) struct BoundedLoader;

impl TypeLoader for BoundedLoader {
    fn load_from_binary(
        &self,
        node_id: &NodeId,
        stream: &mut dyn Read,
        context: &Context<'_>,
        length: Option<usize>,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        let bytes = match raw::body(stream, length?) {
            Ok(bytes) => bytes,
            Err(why) => return Some(Err(why)),
        };
        let typed = {
            let mut reader = Guarded::new(&bytes);
            let length = Some(bytes.len());
            GeneratedTypeLoader.load_from_binary(node_id, &mut reader, context, length)
        };
        if let Some(Ok(typed)) = typed {
            return Some(Ok(typed));
        }
        let raw = ByteStringBody::new(ByteString::from(bytes), node_id.clone());
        Some(Ok(Box::new(raw)))
    }

    fn priority(&self) -> TypeLoaderPriority {
        TypeLoaderPriority::Core
    }
}
