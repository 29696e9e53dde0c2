//! The host's end of the network checks: one TCP port that sends known bytes, the next one that takes bytes and sums
//! them. QEMU's user network leads the guest to them, so no other machine is needed.

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

/// What the sending port sends.
const SENT: usize = 4 << 20;

/// Two neighbouring ports of this machine's loopback.
pub struct Traffic {
    /// The sending port; the taking port is the next one.
    pub port: u16,
    /// Sum of what is sent.
    pub sent_sha: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Traffic {
    /// Opens the ports. They are served as long as xtask runs.
    pub fn start() -> Result<Self> {
        let (first, second) = neighbours()?;
        let port = first.local_addr()?.port();
        let data = pattern(SENT, u64::from(port));
        let sent_sha = sha256(&data);
        let received = Arc::new(Mutex::new(Vec::new()));
        let sums = Arc::clone(&received);
        thread::spawn(move || {
            for mut stream in first.incoming().flatten() {
                let _ = stream.write_all(&data);
            }
        });
        thread::spawn(move || {
            for mut stream in second.incoming().flatten() {
                let mut bytes = Vec::new();
                if stream.read_to_end(&mut bytes).is_ok() {
                    sums.lock().expect("no panic while summing").push(sha256(&bytes));
                }
            }
        });
        Ok(Self { port, sent_sha, received })
    }

    /// Was something with this sum received?
    pub fn received(&self, sha: &str) -> bool {
        // The guest may be done a moment before our thread is; on a busy host that is a long moment.
        for _ in 0..400 {
            if self.received.lock().expect("no panic while summing").iter().any(|sum| sum == sha) {
                return true;
            }
            thread::sleep(std::time::Duration::from_millis(50));
        }
        false
    }
}

fn neighbours() -> Result<(TcpListener, TcpListener)> {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        if let Some(next) = first.local_addr()?.port().checked_add(1)
            && let Ok(second) = TcpListener::bind((Ipv4Addr::LOCALHOST, next))
        {
            return Ok((first, second));
        }
    }
    bail!("no two neighbouring TCP ports are free on this machine's loopback")
}

/// The sum as `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes without visible order (xorshift), the same for the same seed.
pub fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpStream};

    #[test]
    fn sends_what_it_named_and_names_what_it_got() {
        let traffic = Traffic::start().unwrap();
        let mut bytes = Vec::new();
        TcpStream::connect(("127.0.0.1", traffic.port)).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.len(), sha256(&bytes)), (SENT, traffic.sent_sha.clone()));

        let mut stream = TcpStream::connect(("127.0.0.1", traffic.port + 1)).unwrap();
        stream.write_all(b"abc").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        assert!(traffic.received("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert!(!traffic.received("00"));
    }
}
