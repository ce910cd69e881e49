//! How long an answer with keys may be kept: RFC 9111 §4.2, inside bounds.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Keys are not fetched more often than the provider's answers would have it below this.
const LEAST: Duration = Duration::from_secs(60);

/// A key that was taken back is believed for no longer than this.
const MOST: Duration = Duration::from_secs(60 * 60);

/// Where the provider says nothing.
const USUAL: Duration = Duration::from_secs(10 * 60);

/// What an answer says about how long it may be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct Caching {
    /// Every `Cache-Control`.
    pub(in crate::server) control: Vec<String>,
    pub(in crate::server) expires: Option<String>,
    pub(in crate::server) date: Option<String>,
    pub(in crate::server) age: Option<String>,
}

impl Caching {
    /// How long the answer counts as fresh. What cannot be understood is not fresh for long.
    pub(in crate::server) fn fresh_for(&self, now: Timestamp) -> Duration {
        let lifetime = match self.control() {
            Control::Never => return LEAST,
            Control::For(lifetime) => lifetime,
            Control::Silent => match &self.expires {
                Some(expires) => self.until(expires, now),
                None => return USUAL,
            },
        };
        let age = self.age.as_deref().map_or(Some(0), seconds).unwrap_or(u64::MAX);
        lifetime.saturating_sub(Duration::from_secs(age)).clamp(LEAST, MOST)
    }

    fn control(&self) -> Control {
        let mut control = Control::Silent;
        for directive in self.control.iter().flat_map(|line| line.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return Control::Never,
                "max-age" => {
                    let Some(value) = seconds(value.trim().trim_matches('"')) else {
                        return Control::Never;
                    };
                    let named = Duration::from_secs(value);
                    // Said twice: the shorter one is true of both.
                    control = match control {
                        Control::For(other) => Control::For(named.min(other)),
                        Control::Silent | Control::Never => Control::For(named),
                    };
                }
                _ => {}
            }
        }
        control
    }

    /// RFC 9111 §5.3: a date that is none, such as `0`, lies in the past.
    fn until(&self, expires: &str, now: Timestamp) -> Duration {
        let parse = |text: &str| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        let said = self.date.as_deref().and_then(parse).unwrap_or(now);
        let left = parse(expires).map_or(0, |end| end.as_second() - said.as_second());
        Duration::from_secs(u64::try_from(left).unwrap_or(0))
    }
}

enum Control {
    /// It is not to be kept.
    Never,
    For(Duration),
    Silent,
}

/// RFC 9111 §1.2.2: digits; more than fit are as many as fit.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_as_they_say_inside_bounds() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (headers, expected) in [
            ("", 600),
            ("cache-control: public", 600),
            ("cache-control: max-age=300", 300),
            ("cache-control: public, Max-Age=300, must-revalidate", 300),
            ("cache-control: max-age=\"300\"", 300),
            ("cache-control: max-age = 300", 300),
            ("cache-control: max-age=0", 60),
            ("cache-control: max-age=59", 60),
            ("cache-control: max-age=3600", 3600),
            ("cache-control: max-age=3601", 3600),
            ("cache-control: max-age=86400", 3600),
            ("cache-control: max-age=99999999999999999999999", 3600),
            ("cache-control: max-age=-1", 60),
            ("cache-control: max-age=1.5", 60),
            ("cache-control: max-age", 60),
            ("cache-control: max-age=3600\ncache-control: max-age=120", 120),
            ("cache-control: max-age=120, max-age=3600", 120),
            ("cache-control: s-maxage=120", 600),
            ("cache-control: no-store", 60),
            ("cache-control: max-age=600, No-Cache", 60),
            ("cache-control: max-age=600\ncache-control: no-cache", 60),
            ("cache-control: no-store, max-age=600", 60),
            ("cache-control: private=\"x, no-store\"", 600),
            ("cache-control: max-age=900\nage: 300", 600),
            ("cache-control: max-age=900\nage: 1000", 60),
            ("cache-control: max-age=900\nage: soon", 60),
            ("expires: Fri, 20 Nov 2026 12:05:00 GMT", 300),
            ("date: Fri, 20 Nov 2026 11:00:00 GMT\nexpires: Fri, 20 Nov 2026 11:10:00 GMT", 600),
            ("date: yesterday\nexpires: Fri, 20 Nov 2026 12:05:00 GMT", 300),
            ("expires: Fri, 20 Nov 2026 11:00:00 GMT", 60),
            ("expires: Fri, 20 Nov 2099 11:00:00 GMT", 3600),
            ("expires: 0", 60),
            ("expires: -1", 60),
            ("expires: ", 60),
            ("cache-control: max-age=300\nexpires: 0", 300),
        ] {
            let mut caching = Caching::default();
            for line in headers.lines() {
                let (name, value) = line.split_once(": ").unwrap();
                let value = value.to_owned();
                match name {
                    "cache-control" => caching.control.push(value),
                    "expires" => caching.expires = Some(value),
                    "date" => caching.date = Some(value),
                    "age" => caching.age = Some(value),
                    _ => panic!("{name}"),
                }
            }
            assert_eq!(caching.fresh_for(now).as_secs(), expected, "{headers}");
        }
    }
}
