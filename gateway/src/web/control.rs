//! The control socket: the same API for who may open a file on this machine.
//!
//! Its protection is the file's: 0600 in a folder of the gateway's user. A browser cannot reach it, so `Host` and `Origin`
//! say nothing here, and the guard lets such a connection through.

use std::{
    any::Any,
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use actix_web::{dev::Extensions, rt::net::UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that wait to be taken.
const BACKLOG: i32 = 16;

/// What a connection over the control socket carries.
#[derive(Debug, Clone, Copy)]
pub struct LocalUser;

/// Listens at `path`, in place of what a former process left there. Nobody can connect before the file is private.
///
/// # Errors
/// When there can be no socket at that path.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    let listener = UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Marks the connections that came over the control socket.
pub fn mark(connection: &dyn Any, data: &mut Extensions) {
    if connection.is::<UnixStream>() {
        data.insert(LocalUser);
    }
}
