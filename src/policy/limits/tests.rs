use super::*;

#[test]
fn a_pattern_matches_a_whole_text_in_ascii() {
    for (pattern, text, expected) in [
        ("a|b", "a", true),
        ("a|b", "ab", false),
        ("a|b", "xb", false),
        ("[a-z]+", "abc\n", false),
        ("", "", true),
        ("", "a", false),
        (r"\d+", "123", true),
        (r"\d+", "١٢", false),
        (r"[\d.]+", "1.2", true),
        (r"[\d.]+", "١", false),
        (r"[^\d]", "١", true),
        (r"[^\d]", "1", false),
        (r"\D", "é", true),
        (r"\w+", "ab_1", true),
        (r"\w+", "é", false),
        (r"[\w-]+", "a-b", true),
        (r"a\sb", "a b", true),
        (r"a\sb", "a\u{a0}b", false),
        (r"\\d", r"\d", true),
        (r"\\d", "5", false),
        (r"[[:alpha:]]+", "é", false),
        (r"[[:alpha:]]+", "e", true),
        (".", "é", true),
        (".", "\n", false),
        ("é?", "é", true),
        ("k", "\u{212a}", false),
        (r"(?:a|b)(?<n>c)", "bc", true),
        (r"a{2,3}", "aaaa", false),
        (r"a#b", "a#b", true),
        (r"\A", "", false),
    ] {
        let matches = Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(text));
        assert_eq!(matches, expected, "{pattern} {text:?}");
    }
}

#[test]
fn a_text_that_is_too_long_to_look_at_does_not_match() {
    let pattern = Pattern::new("a*").unwrap();
    assert!(pattern.matches(&"a".repeat(1 << 16)));
    assert!(!pattern.matches(&"a".repeat((1 << 16) + 1)));
}

#[test]
fn a_pattern_that_is_not_understood_is_refused() {
    use PatternError::{Anchor, Flags, TooLarge, TooLong, UnicodeClass};
    let long = "a".repeat(1001);
    for (pattern, error) in [
        ("(?i)a", Flags),
        ("a(?x) b", Flags),
        ("(?s:.)", Flags),
        ("(?-u:a)", Flags),
        ("^a", Anchor),
        ("a$", Anchor),
        (r"a\b", Anchor),
        (r"\Aa\z", Anchor),
        (r"(a\B)", Anchor),
        (r"\p{L}", UnicodeClass),
        (r"[\pL]", UnicodeClass),
        (r"[a&&[^\P{Greek}]]", UnicodeClass),
        (&long, TooLong),
        (r"((a{100}){100}){100}", TooLarge),
    ] {
        assert_eq!(Pattern::new(pattern).err(), Some(error), "{pattern}");
    }
    for pattern in ["(", "a)", "[a", "*", "a**{", r"\q", r"(a)\1", "(?=a)", "(?<!a)b", "a{3,1}"] {
        let error = Pattern::new(pattern).err();
        assert!(matches!(error, Some(PatternError::Syntax(_))), "{pattern}: {error:?}");
    }
    let nested = "(".repeat(40) + &")".repeat(40);
    assert!(Pattern::new(&nested).is_err());
}

#[test]
fn a_pointer_names_an_argument_and_what_is_in_it() {
    for (text, argument, rest) in [
        ("/limit", "limit", "[]"),
        ("/to/*", "to", "[Each]"),
        ("/a~1b/c~0d", "a/b", r#"[Member("c~d")]"#),
        ("/a~01", "a~1", "[]"),
        ("/a/**", "a", r#"[Member("**")]"#),
        ("/a/0", "a", r#"[Member("0")]"#),
    ] {
        let pointer: Pointer = text.parse().unwrap();
        assert_eq!(
            (pointer.argument(), format!("{:?}", pointer.rest()).as_str()),
            (argument, rest)
        );
        assert_eq!(pointer.to_string(), text);
    }
    for (text, error) in [
        ("", PointerError::NoSlash),
        ("limit", PointerError::NoSlash),
        ("#/limit", PointerError::NoSlash),
        ("/", PointerError::EmptyName),
        ("/a/", PointerError::EmptyName),
        ("/a//b", PointerError::EmptyName),
        ("/a~", PointerError::Escape),
        ("/a~2", PointerError::Escape),
        ("/*", PointerError::NoArgument),
        ("/*/a", PointerError::NoArgument),
    ] {
        assert_eq!(text.parse::<Pointer>(), Err(error), "{text}");
    }
    assert_eq!("/a".repeat(33).parse::<Pointer>(), Err(PointerError::TooDeep));
}

#[test]
fn a_domain_is_a_name_and_not_an_address() {
    for text in ["example.com", "EXAMPLE.com", "a-b.example", "localhost", "xn--bcher-kva.example"]
    {
        assert!(text.parse::<DomainName>().unwrap().is(&text.to_uppercase()), "{text}");
    }
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a.b",
        "a-.b",
        "a b",
        "a_b.c",
        "bücher.example",
        "*.a",
        "a:1",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "a.0x1",
        "[::1]",
        "a.b.1",
    ] {
        assert!(text.parse::<DomainName>().is_err(), "{text}");
    }
    let domain: DomainName = "example.com".parse().unwrap();
    for other in ["example.com.", "xexample.com", "a.example.com", "example.co", "exampl\u{e9}.com"]
    {
        assert!(!domain.is(other), "{other}");
    }
}

#[test]
fn a_limit_reads_as_a_sentence() {
    let ten = "10".parse().unwrap();
    let tests = vec![
        Test::Is(Scalar::Bool(true)),
        Test::OneOf(vec![Scalar::Number(ten), Scalar::Text("a\"b".into())].into()),
        Test::Between("-1.5".parse().unwrap(), ten),
        Test::Domain(vec!["a.com".parse().unwrap(), "b.com".parse().unwrap()].into()),
    ];
    let limit = Limit { pointer: "/to/*".parse().unwrap(), optional: true, tests: tests.into() };
    assert_eq!(
        limit.to_string(),
        "/to/* is true, is 10 or \"a\\\"b\", is a number from -1.5 to 10, is one address at a.com or b.com, or is left out"
    );
}
