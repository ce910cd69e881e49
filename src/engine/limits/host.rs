//! The one host that an address leads to, if every reader agrees that there is one.
//!
//! A grammar far smaller than RFC 5322 and RFC 3986: what could hold a second address, or be read
//! as another host by anybody, has no host here.

/// The longest part before the `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// The host of one mail address, or of one `http` or `https` URL.
pub(super) fn of(text: &str) -> Option<&str> {
    match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(rest) => of_url(rest),
        None => of_mail(text),
    }
}

/// `host` or `host/path?query#fragment`: no user, no port, and nothing that some reader would
/// take for the end of one address and the start of another. Whether the host is a name is
/// settled by comparing it with one.
fn of_url(rest: &str) -> Option<&str> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"'<>^`{|},;".contains(&byte);
    let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    (is_host && path.bytes().all(plain) && !path.starts_with('/') && !path.contains("//"))
        .then_some(host)
}

/// `local@host`: no display name, no quotes, no source routes, no lists.
fn of_mail(text: &str) -> Option<&str> {
    let (local, host) = text.split_once('@')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte);
    let dots = local.split('.').any(str::is_empty);
    let is_local = local.len() <= MAX_LOCAL
        && local.bytes().all(plain)
        && !dots
        && !local.starts_with(['-', '+']);
    // A second `@` stands in the host, which then equals no domain.
    is_local.then_some(host)
}
