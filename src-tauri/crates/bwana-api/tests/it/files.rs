//! A web server on loopback with a few files that a test puts there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Clone)]
pub(crate) struct Site {
    address: SocketAddr,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
}

impl Site {
    /// Serves until the process of the test ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            files: Arc::default(),
            asked: Arc::default(),
        };
        let serving = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.answer(stream);
            }
        });
        site
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn put(&self, path: &str, file: &[u8]) {
        let mut files = self.files.lock().unwrap();
        files.insert(path.to_owned(), file.to_vec());
    }

    /// Requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whoever hangs up in the middle gets no answer; the next one does.
    fn answer(&self, mut stream: TcpStream) {
        let reader = BufReader::new(&stream);
        let head: Vec<String> = reader
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        let path = head.first().and_then(|line| line.split(' ').nth(1));
        let Some(path) = path else { return };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let file = self.files.lock().unwrap().get(path).cloned();
        let status = if file.is_some() {
            "200 OK"
        } else {
            "404 Not Found"
        };
        let file = file.unwrap_or_default();
        let length = file.len();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&file);
    }
}
