//! Lines and columns of many places, as machines want them.

use std::path::{Component, Path};

use super::{Diagnostic, Place, Sources};

/// From where to where, from 1; the end is one past the last character. Columns count characters,
/// as Unicode code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first line.
    pub line: usize,
    /// The first column.
    pub column: usize,
    /// The line of the end.
    pub end_line: usize,
    /// The column of the end.
    pub end_column: usize,
}

/// The lines of all files: with them a place is found without another look at its whole file.
#[derive(Debug)]
pub struct Lines<'s> {
    files: Vec<(&'s str, Vec<usize>)>,
}

impl<'s> Lines<'s> {
    /// The lines of these files.
    #[must_use]
    pub fn of(sources: &'s Sources) -> Self {
        let lines = |text: &'s str| {
            let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            let starts = std::iter::once(0).chain(feeds.map(|(at, _)| at + 1)).collect();
            (text, starts)
        };
        Self { files: sources.iter().map(|(_, source)| lines(&source.text)).collect() }
    }

    /// Where a place starts and ends.
    #[must_use]
    pub fn region(&self, place: Place) -> Region {
        let (line, column) = self.position(place, place.span.start);
        let (end_line, end_column) = self.position(place, place.span.end);
        Region { line, column, end_line, end_column }
    }

    /// The text of the line on which a place starts.
    #[must_use]
    pub fn text(&self, place: Place) -> &'s str {
        let Some((text, starts)) = self.files.get(place.source.0 as usize) else {
            return "";
        };
        let line = starts.partition_point(|start| *start <= place.span.start as usize);
        let start = line.checked_sub(1).and_then(|line| starts.get(line)).copied();
        let rest = start.and_then(|start| text.get(start..)).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    /// Line and column of a byte, both from 1; a byte inside a character is that character's.
    fn position(&self, place: Place, at: u32) -> (usize, usize) {
        let Some((text, starts)) = self.files.get(place.source.0 as usize) else {
            return (1, 1);
        };
        let at = (at as usize).min(text.len());
        let line = starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| starts.get(line)).copied().unwrap_or(0);
        let before = text.get(start..).unwrap_or_default().char_indices();
        (
            line,
            1 + before.take_while(|(inside, char)| start + inside + char.len_utf8() <= at).count(),
        )
    }
}

impl Diagnostic {
    /// The file that it is about.
    #[must_use]
    pub fn file<'d>(&'d self, sources: &'d Sources) -> Option<&'d Path> {
        let source = self.place.and_then(|place| sources.get(place.source));
        source.map(|source| source.path.as_path()).or(self.path.as_deref())
    }
}

/// A path as machines want it: with `/`, and without a `./` in front.
#[must_use]
pub fn plain_path(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let path = parts.collect::<std::path::PathBuf>().to_string_lossy().into_owned();
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Source, Span};

    #[test]
    fn regions_count_lines_and_code_points() {
        let text = "a: 1\n\u{e9}\u{1F600}: x\n\nlast";
        let mut sources = Sources::default();
        let source = sources.add(Source { path: "x.yaml".into(), text: text.to_owned() });
        let lines = Lines::of(&sources);
        let rows = [
            ((0, 1), (1, 1, 1, 2), "a: 1"),
            ((3, 5), (1, 4, 2, 1), "a: 1"),
            ((5, 7), (2, 1, 2, 2), "\u{e9}\u{1F600}: x"),
            // Inside the second character.
            ((8, 13), (2, 2, 2, 5), "\u{e9}\u{1F600}: x"),
            ((15, 15), (3, 1, 3, 1), ""),
            ((16, 20), (4, 1, 4, 5), "last"),
            ((99, 99), (4, 5, 4, 5), "last"),
        ];
        for ((start, end), expected, line_text) in rows {
            let place = Place { source, span: Span::new(start, end) };
            let Region { line, column, end_line, end_column } = lines.region(place);
            assert_eq!((line, column, end_line, end_column), expected, "{start}..{end}");
            assert_eq!(lines.text(place), line_text, "{start}..{end}");
        }
    }

    #[test]
    fn paths_are_plain() {
        for (path, plain) in [
            ("policies/a.yaml", "policies/a.yaml"),
            ("./policies//a.yaml", "policies/a.yaml"),
            ("/p/./a", "/p/a"),
            ("../p", "../p"),
            (".", "."),
        ] {
            assert_eq!(plain_path(Path::new(path)), plain);
        }
    }
}
