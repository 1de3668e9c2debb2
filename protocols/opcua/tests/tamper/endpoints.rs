//! The answer to GetEndpoints with some of its endpoints left out, as an attacker would (OPC UA Part 4, 7.14).

/// What is read of the bytes so far.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Where each endpoint begins and ends, with its policy's URI and its mode.
pub struct Endpoint {
    pub bytes: std::ops::Range<usize>,
    pub policy: String,
    pub mode: i32,
}

/// The endpoints of an array that begins there.
pub fn read(bytes: &[u8], at: usize) -> Vec<Endpoint> {
    let mut reader = Reader { bytes, at };
    let count = reader.number();
    (0..count).map(|_| reader.endpoint()).collect()
}

impl Reader<'_> {
    fn number(&mut self) -> i32 {
        self.at += 4;
        i32::from_le_bytes(self.bytes[self.at - 4..self.at].try_into().unwrap())
    }

    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn text(&mut self) -> String {
        let length = usize::try_from(self.number()).unwrap_or(0);
        self.at += length;
        String::from_utf8_lossy(&self.bytes[self.at - length..self.at]).into_owned()
    }

    fn texts(&mut self, count: i32) {
        (0..count).for_each(|_| drop(self.text()));
    }

    fn endpoint(&mut self) -> Endpoint {
        let from = self.at;
        self.texts(1);
        // The server: two URIs, a name with or without locale and text, its type, two URIs, its addresses.
        self.texts(2);
        let has = self.byte();
        self.texts(i32::from(has & 1) + i32::from(has >> 1 & 1));
        self.number();
        self.texts(2);
        let addresses = self.number();
        self.texts(addresses);
        // Its certificate.
        self.texts(1);
        let (mode, policy) = (self.number(), self.text());
        for _ in 0..self.number() {
            self.texts(1);
            self.number();
            self.texts(3);
        }
        self.texts(1);
        self.byte();
        Endpoint {
            bytes: from..self.at,
            policy,
            mode,
        }
    }
}
