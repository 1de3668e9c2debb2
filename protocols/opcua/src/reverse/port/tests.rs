//! Servers and strangers at a port, over loopback.

use tokio::io::AsyncWriteExt;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn expected(uri: &str) -> Expected {
    Expected {
        server_uri: Some(uri.to_owned()),
        endpoint: "opc.tcp://press:4840".to_owned(),
    }
}

/// A free port on loopback.
async fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn hello(uri: &str) -> Vec<u8> {
    let endpoint = "opc.tcp://press:4840";
    let mut body = Vec::new();
    for text in [uri, endpoint] {
        body.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        body.extend(text.as_bytes());
    }
    let size = u32::try_from(body.len() + HEADER_BYTES).unwrap();
    [&b"RHEF"[..], &size.to_le_bytes(), &body].concat()
}

async fn connect(to: SocketAddr, say: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(say).await.unwrap();
    stream
}

#[tokio::test]
async fn several_sources_share_a_port_and_each_gets_its_server() {
    let (ports, listen) = (Ports::default(), free().await);
    let press = ports
        .enter(listen, expected("urn:press"), Guest::Stays)
        .unwrap();
    let oven = ports
        .enter(listen, expected("urn:oven"), Guest::Stays)
        .unwrap();
    let _oven = connect(listen, &hello("urn:oven")).await;
    let mut stranger = connect(listen, &hello("urn:other")).await;
    let mut browser = connect(listen, b"GET / HTTP/1.1\r\n").await;
    let _press = connect(listen, &hello("urn:press")).await;
    let both = async { tokio::join!(press.next(None), oven.next(None)) };
    let ((_, of_press, endpoint), (_, of_oven, _)) = timeout(LONG, both).await.unwrap();
    assert_eq!(endpoint, "opc.tcp://press:4840");
    assert_eq!(of_press.peer_addr().unwrap(), _press.local_addr().unwrap());
    assert_eq!(of_oven.peer_addr().unwrap(), _oven.local_addr().unwrap());
    for other in [&mut stranger, &mut browser] {
        let mut told = Vec::new();
        let read = async {
            tokio::select! {
                read = other.read_to_end(&mut told) => read.map(|_| ()),
                never = press.tend() => match never {},
            }
        };
        // Who left something unread may find the connection reset.
        let _read = timeout(LONG, read).await.unwrap();
        assert!(told.is_empty() || told.starts_with(b"ERRF"), "{told:?}");
    }
    let words = press.strangers();
    assert!(words.starts_with("; 2 others were sent away"), "{words}");
    drop((press, oven));
    // The port is free again.
    ports
        .enter(listen, expected("urn:press"), Guest::Stays)
        .unwrap();
}

#[tokio::test]
async fn the_baton_goes_on_when_its_holder_leaves_and_closed_sockets_are_left_out() {
    let (ports, listen) = (Ports::default(), free().await);
    let press = ports
        .enter(listen, expected("urn:press"), Guest::Stays)
        .unwrap();
    let oven = ports
        .enter(listen, expected("urn:oven"), Guest::Stays)
        .unwrap();
    let mut waiting = std::pin::pin!(oven.next(None));
    let never = timeout(Duration::from_millis(50), press.tend()).await;
    assert!(never.is_err());
    drop(connect(listen, &hello("urn:press")).await);
    for _ in 0..3 {
        let _gone = connect(listen, &hello("urn:press")).await;
    }
    let last = connect(listen, &hello("urn:oven")).await;
    let (_, of_oven, _) = timeout(LONG, &mut waiting).await.unwrap();
    assert_eq!(of_oven.peer_addr().unwrap(), last.local_addr().unwrap());
    let none = timeout(Duration::from_millis(100), press.next(None)).await;
    assert!(none.is_err(), "all of them were closed");
    let live = connect(listen, &hello("urn:press")).await;
    let (_, of_press, _) = timeout(LONG, press.next(None)).await.unwrap();
    assert_eq!(of_press.peer_addr().unwrap(), live.local_addr().unwrap());
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let words = Ports::default()
        .enter(listen, expected("urn:a"), Guest::Stays)
        .unwrap_err();
    assert!(words.contains("is the port taken"), "{words}");
}

#[tokio::test]
async fn a_test_shares_the_port_of_a_source_and_takes_what_waits_there() {
    let (ports, listen) = (Ports::default(), free().await);
    let source = ports
        .enter(listen, expected("urn:press"), Guest::Stays)
        .unwrap();
    let reserve = connect(listen, &hello("urn:press")).await;
    // The source is connected, and has the accepting done; the server's reserve waits.
    let seated = async {
        while locked(&source.port.desks)[0].seated.len() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = seated => {}
        never = source.tend() => match never {},
    }
    let test = ports
        .enter(listen, expected("urn:press"), Guest::TriesOut)
        .unwrap();
    let (_, taken, _) = timeout(LONG, test.next(None)).await.unwrap();
    assert_eq!(taken.peer_addr().unwrap(), reserve.local_addr().unwrap());
    // One that comes now goes to whoever waits.
    let next = connect(listen, &hello("urn:press")).await;
    let (_, taken, _) = timeout(LONG, test.next(None)).await.unwrap();
    assert_eq!(taken.peer_addr().unwrap(), next.local_addr().unwrap());
    drop(test);
    let other: SocketAddr = format!("0.0.0.0:{}", listen.port()).parse().unwrap();
    let words = ports
        .enter(other, expected("urn:press"), Guest::Stays)
        .unwrap_err();
    assert!(
        words.contains(&format!("another source listens at {listen}")),
        "{words}"
    );
}

#[tokio::test]
async fn one_that_connects_and_says_nothing_leaves_room_for_others() {
    let (ports, listen) = (Ports::default(), free().await);
    let press = ports
        .enter(listen, expected("urn:press"), Guest::Stays)
        .unwrap();
    let many = 2 * MAX_GREETING;
    let silent = async {
        let mut silent = Vec::new();
        for _ in 0..many {
            silent.push(connect(listen, b"").await);
        }
        let most = (many - MAX_GREETING_OF_PEER) as u64;
        while locked(&press.port.strangers).count < most {
            tokio::task::yield_now().await;
        }
    };
    let in_time = async {
        tokio::select! {
            () = silent => {}
            never = press.tend() => match never {},
        }
    };
    // Before the first of them has had its time to say something.
    timeout(HELLO_LIMIT, in_time).await.unwrap();
    assert!(press.strangers().contains("too many of its connections"));
}
