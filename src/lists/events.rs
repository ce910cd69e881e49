//! A stream of events (WHATWG HTML, "Server-sent events"), cut into events; and one event with
//! other data.

use super::filter::Unreadable;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Cuts a stream into events, wherever the pieces that it comes in begin and end.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The line has begun: its end will not be the event's.
    in_line: bool,
    last: Last,
    /// How much of a byte-order mark there was at the beginning.
    mark: usize,
    /// Whether that is over.
    begun: bool,
}

/// What the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    /// A carriage return: a line feed after it belongs to it.
    Return,
    /// One that has ended an event.
    FinalReturn,
}

/// Where a piece of a stream was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// So many bytes, and the event goes on.
    GoesOn(usize),
    /// So many bytes, and the event is over.
    Over(usize),
    /// One byte, which belongs to the end of the event before.
    Belated,
}

impl Splitter {
    /// Looks for the end of the event that the bytes go on with. An event is over at the carriage
    /// return that ends it: the line feed that may follow is waited for by nobody.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> Cut {
        let mut next = 0;
        while let Some(byte) = bytes.get(next) {
            let at = next;
            next += 1;
            if !self.begun && self.is_mark(*byte) {
                continue;
            }
            // Most bytes stand within a line.
            if self.in_line && self.last == Last::Other {
                let rest = bytes.get(at..).unwrap_or_default();
                let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                if end != Some(0) {
                    next = end.map_or(bytes.len(), |end| at + end);
                    continue;
                }
            }
            let last = std::mem::take(&mut self.last);
            match (byte, last) {
                (b'\n', Last::Return) => {}
                (b'\r', _) if std::mem::take(&mut self.in_line) => self.last = Last::Return,
                (b'\n', Last::Other) if std::mem::take(&mut self.in_line) => {}
                (b'\n', Last::Other) => return Cut::Over(at + 1),
                (b'\n', Last::FinalReturn) => return Cut::Belated,
                (b'\r', _) if bytes.get(at + 1) == Some(&b'\n') => return Cut::Over(at + 2),
                (b'\r', _) => {
                    self.last = Last::FinalReturn;
                    return Cut::Over(at + 1);
                }
                _ => self.in_line = true,
            }
        }
        Cut::GoesOn(bytes.len())
    }

    /// A mark at the stream's beginning is no part of its first line.
    fn is_mark(&mut self, byte: u8) -> bool {
        let so_far = self.mark;
        if BOM.get(so_far) == Some(&byte) {
            self.mark += 1;
            self.begun = so_far + 1 == BOM.len();
            return true;
        }
        self.begun = true;
        // Half of one is: of some other line.
        self.in_line = so_far > 0;
        false
    }
}

/// One event: its lines, each with its end.
pub(super) struct Event<'e> {
    lines: Vec<Line<'e>>,
    /// What all `data` lines say together; `None` if there are none.
    pub(super) data: Option<Vec<u8>>,
}

struct Line<'e> {
    /// With its end.
    raw: &'e [u8],
    end: &'e [u8],
    is_data: bool,
}

impl<'e> Event<'e> {
    /// Reads an event.
    pub(super) fn of(event: &'e [u8]) -> Result<Self, Unreadable> {
        let mut rest = event.strip_prefix(BOM).unwrap_or(event);
        let (mark, _) = event.split_at(event.len() - rest.len());
        let mut lines = vec![Line { raw: mark, end: &[], is_data: false }];
        let mut data: Option<Vec<u8>> = None;
        while !rest.is_empty() {
            let text = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (text, after) = rest.split_at(text.unwrap_or(rest.len()));
            let end = if after.starts_with(b"\r\n") { 2 } else { after.len().min(1) };
            let (end, after) = after.split_at(end);
            let (raw, _) = rest.split_at(text.len() + end.len());
            let value = data_of(text)?;
            lines.push(Line { raw, end, is_data: value.is_some() });
            if let Some(value) = value {
                match &mut data {
                    None => data = Some(value.to_vec()),
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                }
            }
            rest = after;
        }
        Ok(Self { lines, data })
    }

    /// The event with other data, in the place of the first `data` line.
    pub(super) fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut data = Some(data);
        let mut event = Vec::new();
        for Line { raw, end, is_data } in &self.lines {
            if !is_data {
                // What comes to stand together must not become one line's end.
                if let (Some(last @ b'\r'), Some(b'\n')) = (event.last_mut(), raw.first()) {
                    *last = b'\n';
                }
                event.extend_from_slice(raw);
                continue;
            }
            // An event that was not finished stays so: whoever reads on has lost nothing.
            let end = if end.is_empty() { b"\n" } else { *end };
            for line in data.take().into_iter().flat_map(|data| data.split(|byte| *byte == b'\n')) {
                event.extend_from_slice(b"data: ");
                event.extend_from_slice(line);
                event.extend_from_slice(end);
            }
        }
        event
    }
}

/// What a line says as data, if it does.
fn data_of(line: &[u8]) -> Result<Option<&[u8]>, Unreadable> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (field, value) = match colon {
        Some(colon) => (line.get(..colon), line.get(colon + 1..)),
        None => (Some(line), None),
    };
    let (field, value) = (field.unwrap_or_default(), value.unwrap_or_default());
    if field == b"data" {
        return Ok(Some(value.strip_prefix(b" ").unwrap_or(value)));
    }
    // Nothing to the standard; data to whoever trims and folds.
    let field = field.strip_prefix(BOM).unwrap_or(field);
    if field.trim_ascii().eq_ignore_ascii_case(b"data") {
        return Err(Unreadable::Event);
    }
    Ok(None)
}
