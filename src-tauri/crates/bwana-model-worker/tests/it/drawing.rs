//! Pages of files of strangers, drawn by a process that may end over them and harms nobody.

use std::io::{Read as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bwana_types::drawing::{DRAW_FLAG, DRAWN_WIDTHS, Drawn, Undrawn};

use crate::support::worker_program;

/// Longer than the host waits.
const PATIENCE: Duration = Duration::from_secs(60);
/// Mutated files.
const MUTANTS: u32 = 60;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A PDF of these objects, from number 1 on; the first is the catalogue.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", at + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").bytes());
    }
    let end = format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    );
    file.extend(end.bytes());
    file
}

fn stream(head: &str, data: &[u8]) -> Vec<u8> {
    let mut object = format!("<< {head} /Length {} >>\nstream\n", data.len()).into_bytes();
    object.extend(data);
    object.extend(b"\nendstream");
    object
}

/// An offer of two pages: words, and a filled square.
fn offer() -> Vec<u8> {
    let page = |content: u32| {
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 400] /Contents {content} 0 R \
             /Resources << /Font << /F1 7 0 R >> >> >>"
        )
        .into_bytes()
    };
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>".to_vec(),
        page(5),
        page(6),
        stream("", b"BT /F1 24 Tf 40 300 Td (Bread for the week) Tj ET"),
        stream("", b"1 0 0 rg 0 0 300 400 re f"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
    ])
}

fn draw(file: &[u8], page: &str, width: &str) -> (ExitStatus, Vec<u8>) {
    let mut child = Command::new(worker_program())
        .args([DRAW_FLAG, page, width])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let file = file.to_vec();
    // One that ends early does not read to the end.
    let giving = std::thread::spawn(move || drop(to.write_all(&file)));
    let mut from = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut answer = Vec::new();
        from.read_to_end(&mut answer).unwrap();
        answer
    });
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    giving.join().unwrap();
    (child.wait().unwrap(), reading.join().unwrap())
}

/// What is said, and the picture.
fn said(file: &[u8], page: &str, width: &str) -> (Drawn, Vec<u8>) {
    let (status, answer) = draw(file, page, width);
    assert!(status.success(), "{status}");
    let end = answer.iter().position(|byte| *byte == b'\n').unwrap();
    (
        serde_json::from_slice(&answer[..end]).unwrap(),
        answer[end + 1..].to_vec(),
    )
}

#[test]
fn each_page_is_drawn_in_the_width_asked_for() {
    let offer = offer();
    for (page, width, shown) in [("0", "600", 600), ("1", "150", 150), ("0", "99999", 2_048)] {
        let (drawn, png) = said(&offer, page, width);
        assert_eq!(drawn.undrawn, None);
        assert_eq!((drawn.pages, drawn.width), (2, shown), "{page}");
        assert_eq!(drawn.height, shown * 4 / 3, "{page}");
        assert_eq!(png[..8], *PNG);
        // Width and height of the picture itself.
        assert_eq!(png[16..20], drawn.width.to_be_bytes());
        assert_eq!(png[20..24], drawn.height.to_be_bytes());
    }
    // One is words on white and the other all red: neither is an empty sheet, and they differ.
    let pages = ["0", "1"].map(|page| said(&offer, page, "300").1);
    let blank = said(&without_content(), "0", "300").1;
    assert!(pages[0] != pages[1] && pages[0] != blank && pages[1] != blank);
    assert_eq!(said(&offer, "0", "1").0.width, *DRAWN_WIDTHS.start());
}

fn without_content() -> Vec<u8> {
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 400] >>".to_vec(),
    ])
}

#[test]
fn what_cannot_be_drawn_is_said_with_its_reason() {
    let offer = offer();
    let check = |file: &[u8], page: &str, expected| {
        let (drawn, png) = said(file, page, "300");
        assert_eq!((drawn.undrawn, png), (Some(expected), Vec::new()), "{page}");
    };
    check(&offer, "2", Undrawn::NoSuchPage);
    check(&offer, "-1", Undrawn::NoSuchPage);
    check(&offer, "", Undrawn::NoSuchPage);
    check(b"", "0", Undrawn::Broken);
    check(b"%PDF-1.7\n%\x80\x81\n", "0", Undrawn::Broken);
    check(b"<html>no</html>", "0", Undrawn::Broken);
    check(&locked(&offer), "0", Undrawn::Locked);
}

/// The same file behind a password that nobody has: what the empty one is checked against is noise.
fn locked(file: &[u8]) -> Vec<u8> {
    let noise = "5a".repeat(32);
    let lock = format!(
        "trailer\n<< /Encrypt << /Filter /Standard /V 1 /R 2 /O <{noise}> /U <{noise}> /P -4 >> /ID [<00> <00>] "
    );
    let text = String::from_utf8(file.to_vec()).unwrap();
    text.replace("trailer\n<< ", &lock).into_bytes()
}

/// Pages that are their own children, sides without end, and pictures that unfold into more than there is.
#[test]
fn files_made_to_break_it_break_one_process_and_in_time() {
    let page = |content: &str| {
        pdf(&[
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 2147483647 >>".to_vec(),
            format!("<< /Type /Page /Parent 2 0 R {content} >>").into_bytes(),
            stream("", "q ".repeat(200_000).as_bytes()),
            stream(
                "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>",
                b"/X Do /X Do",
            ),
            stream("", b"/X Do"),
            stream(
                "/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 /ColorSpace /DeviceRGB",
                b"x",
            ),
        ])
    };
    let files = [
        page("/MediaBox [0 0 1e30 1e30]"),
        page("/MediaBox [0 0 0.0001 9000000]"),
        page("/MediaBox [0 0 100 100] /Contents 4 0 R"),
        page("/MediaBox [0 0 100 100] /Contents 6 0 R /Resources << /XObject << /X 5 0 R >> >>"),
        page("/MediaBox [0 0 100 100] /Contents 6 0 R /Resources << /XObject << /X 7 0 R >> >>"),
        pdf(&[format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()]),
    ];
    for (at, file) in files.iter().enumerate() {
        let began = Instant::now();
        let (status, answer) = draw(file, "0", "2048");
        assert!(began.elapsed() < PATIENCE, "file {at} takes for ever");
        // Either it says what it has, or it is gone; it never says half.
        let whole = answer.contains(&b'\n');
        assert_eq!(status.success(), whole, "file {at}: {status}");
    }
}

#[test]
fn a_damaged_file_is_drawn_or_refused_and_nothing_else() {
    let offer = offer();
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        usize::try_from(state).unwrap()
    };
    for mutant in 0..MUTANTS {
        let mut file = offer.clone();
        for _ in 0..=next() % 4 {
            let at = next() % file.len();
            file[at] = u8::try_from(next() % 256).unwrap();
        }
        if mutant % 3 == 0 {
            file.truncate(next() % offer.len());
        }
        let (status, answer) = draw(&file, "0", "200");
        let end = answer.iter().position(|byte| *byte == b'\n');
        assert_eq!(status.success(), end.is_some(), "mutant {mutant}: {status}");
        if let Some(end) = end {
            let drawn: Drawn = serde_json::from_slice(&answer[..end]).unwrap();
            let png = &answer[end + 1..];
            assert_eq!(drawn.undrawn.is_none(), png.starts_with(PNG), "{mutant}");
        }
    }
}
