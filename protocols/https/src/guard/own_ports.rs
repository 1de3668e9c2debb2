//! At which TCP ports this process listens, by what Linux tells of it in `/proc`.

use std::{collections::HashSet, fs};

/// The ports; none where `/proc` does not tell.
pub(super) fn listening() -> Vec<u16> {
    let sockets = own_sockets();
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    let tables = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    tables
        .flat_map(|table| listening_in(&table, &sockets))
        .collect()
}

/// The inodes of this process's sockets.
fn own_sockets() -> HashSet<u64> {
    let Ok(open) = fs::read_dir("/proc/self/fd") else {
        return HashSet::new();
    };
    let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        })
        .collect()
}

/// proc_pid_net(5): `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`, state 0A is LISTEN.
fn listening_in(table: &str, sockets: &HashSet<u64>) -> Vec<u16> {
    let port = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let ours = *state == "0A" && sockets.contains(&inode.parse().ok()?);
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        ours.then_some(port)
    };
    table.lines().skip(1).filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_known_while_somebody_listens_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening().contains(&port));
        drop(listener);
        assert!(!listening().contains(&port));
    }

    #[test]
    fn what_is_no_table_names_no_port() {
        let sockets = HashSet::from([7]);
        let line =
            "  0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1";
        assert_eq!(listening_in(&format!("head\n{line}\n"), &sockets), [8443]);
        for table in [
            "",
            "head",
            "head\n\n",
            "head\n0: x 0A 0A",
            "head\n0: a:zz b 0A c d e f g 7",
        ] {
            assert!(listening_in(table, &sockets).is_empty(), "{table}");
        }
    }
}
