//! A small interpreter of GBNF for tests: does a text match, and what does a grammar write by chance.
//! Written from the notation's description, apart from the generator, so that both can be wrong only separately.

use std::collections::{BTreeSet, HashMap};
use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, Clone)]
enum Node {
    Literal(Vec<char>),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: usize,
        max: Option<usize>,
    },
    Rule(String),
}

/// A parsed grammar.
pub(super) struct Matcher {
    rules: HashMap<String, Node>,
}

/// A source of small random numbers: the same seed gives the same texts.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

impl Matcher {
    pub(super) fn new(gbnf: &str) -> Self {
        let mut rules = HashMap::new();
        for line in gbnf.lines().filter(|line| !line.trim().is_empty()) {
            let (name, body) = line.split_once(" ::= ").expect("a rule on each line");
            let mut chars = body.chars().peekable();
            let node = choice(&mut chars);
            assert!(chars.peek().is_none(), "rest of rule: {line}");
            assert!(
                rules.insert(name.to_owned(), node).is_none(),
                "{name} twice"
            );
        }
        Self { rules }
    }

    pub(super) fn accepts(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        self.ends(&self.rules["root"], &chars, &BTreeSet::from([0]))
            .contains(&chars.len())
    }

    /// Where a match of `node` can end, if it starts at any of `starts`.
    fn ends(&self, node: &Node, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        match node {
            Node::Literal(literal) => starts
                .iter()
                .filter(|at| text[**at..].starts_with(literal))
                .map(|at| at + literal.len())
                .collect(),
            Node::Class { negated, ranges } => starts
                .iter()
                .filter(|at| {
                    text.get(**at)
                        .is_some_and(|c| in_ranges(*c, ranges) != *negated)
                })
                .map(|at| at + 1)
                .collect(),
            Node::Sequence(nodes) => nodes
                .iter()
                .fold(starts.clone(), |at, node| self.ends(node, text, &at)),
            Node::Choice(nodes) => nodes
                .iter()
                .flat_map(|node| self.ends(node, text, starts))
                .collect(),
            Node::Rule(name) => self.ends(&self.rules[name], text, starts),
            Node::Repeat { node, min, max } => {
                let mut at = starts.clone();
                let mut found = if *min == 0 {
                    at.clone()
                } else {
                    BTreeSet::new()
                };
                for round in 1..=max.unwrap_or(usize::MAX) {
                    at = self.ends(node, text, &at);
                    if round >= *min {
                        if at.is_subset(&found) {
                            break;
                        }
                        found.extend(&at);
                    }
                    if at.is_empty() {
                        break;
                    }
                }
                found
            }
        }
    }

    /// A text the grammar can write.
    pub(super) fn write(&self, dice: &mut Dice) -> String {
        let mut out = String::new();
        self.expand(&self.rules["root"], dice, &mut out);
        out
    }

    fn expand(&self, node: &Node, dice: &mut Dice, out: &mut String) {
        match node {
            Node::Literal(literal) => out.extend(literal),
            Node::Class { negated, ranges } => out.push(pick(*negated, ranges, dice)),
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.expand(node, dice, out)),
            Node::Choice(nodes) => self.expand(&nodes[dice.below(nodes.len())], dice, out),
            Node::Rule(name) => self.expand(&self.rules[name], dice, out),
            Node::Repeat { node, min, max } => {
                let most = max.unwrap_or(min + 20);
                // Mostly few, sometimes all: the bounds themselves are where mistakes sit.
                let more = match dice.below(6) {
                    0 => most - min,
                    _ => dice.below((most - min).min(6) + 1),
                };
                for _ in 0..min + more {
                    self.expand(node, dice, out);
                }
            }
        }
    }
}

fn in_ranges(c: char, ranges: &[(char, char)]) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
}

fn pick(negated: bool, ranges: &[(char, char)], dice: &mut Dice) -> char {
    const INTERESTING: &[char] = &[
        'a', 'Z', '0', ' ', '{', '}', '[', ']', ',', ':', '\'', '\u{80}', 'é', 'ß', '☀', '語',
        '\u{2028}', '\u{fffd}', '😀', '"', '\\', '\n', '\u{0}', '\u{7f}',
    ];
    if negated {
        loop {
            let c = INTERESTING[dice.below(INTERESTING.len())];
            if !in_ranges(c, ranges) {
                return c;
            }
        }
    }
    let (low, high) = ranges[dice.below(ranges.len())];
    let span = u32::from(high) - u32::from(low) + 1;
    char::from_u32(u32::from(low) + u32::try_from(dice.below(span as usize)).unwrap()).unwrap()
}

type Source<'t> = Peekable<Chars<'t>>;

fn choice(from: &mut Source<'_>) -> Node {
    let mut branches = vec![sequence(from)];
    while from.next_if_eq(&'|').is_some() {
        branches.push(sequence(from));
    }
    if branches.len() == 1 {
        branches.remove(0)
    } else {
        Node::Choice(branches)
    }
}

fn sequence(from: &mut Source<'_>) -> Node {
    let mut nodes = Vec::new();
    loop {
        while from.next_if_eq(&' ').is_some() {}
        let node = match from.peek() {
            None | Some('|' | ')') => return Node::Sequence(nodes),
            Some('"') => literal(from),
            Some('[') => class(from),
            Some('(') => {
                from.next();
                let inner = choice(from);
                assert_eq!(from.next(), Some(')'));
                inner
            }
            Some(_) => name(from),
        };
        nodes.push(repeated(node, from));
    }
}

fn repeated(node: Node, from: &mut Source<'_>) -> Node {
    let (min, max) = match from.peek() {
        Some('?') => (0, Some(1)),
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('{') => {
            let inner: String = from.by_ref().skip(1).take_while(|c| *c != '}').collect();
            let (min, max) = match inner.split_once(',') {
                None => (inner.parse().unwrap(), Some(inner.parse().unwrap())),
                Some((min, "")) => (min.parse().unwrap(), None),
                Some((min, max)) => (min.parse().unwrap(), Some(max.parse().unwrap())),
            };
            assert!(
                max.is_none_or(|max: usize| max >= min),
                "empty repetition {inner}"
            );
            return Node::Repeat {
                node: Box::new(node),
                min,
                max,
            };
        }
        _ => return node,
    };
    from.next();
    Node::Repeat {
        node: Box::new(node),
        min,
        max,
    }
}

fn name(from: &mut Source<'_>) -> Node {
    let mut name = String::new();
    while let Some(c) = from.next_if(|c| c.is_ascii_alphanumeric() || *c == '-') {
        name.push(c);
    }
    assert!(!name.is_empty(), "unexpected {:?}", from.peek());
    Node::Rule(name)
}

fn literal(from: &mut Source<'_>) -> Node {
    from.next();
    let mut chars = Vec::new();
    while from.peek() != Some(&'"') {
        chars.push(character(from));
    }
    from.next();
    Node::Literal(chars)
}

fn class(from: &mut Source<'_>) -> Node {
    from.next();
    let negated = from.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while from.peek() != Some(&']') {
        let low = character(from);
        let high = match from.next_if_eq(&'-') {
            Some(_) => character(from),
            None => low,
        };
        assert!(low <= high, "backward range");
        ranges.push((low, high));
    }
    from.next();
    Node::Class { negated, ranges }
}

fn character(from: &mut Source<'_>) -> char {
    let hex = |from: &mut Source<'_>, digits: usize| {
        let text: String = from.by_ref().take(digits).collect();
        char::from_u32(u32::from_str_radix(&text, 16).unwrap()).unwrap()
    };
    match from.next().expect("a character") {
        '\\' => match from.next().expect("an escape") {
            'x' => hex(from, 2),
            'u' => hex(from, 4),
            'U' => hex(from, 8),
            't' => '\t',
            'r' => '\r',
            'n' => '\n',
            c @ ('\\' | '"' | '[' | ']' | '-') => c,
            c => panic!("unknown escape {c}"),
        },
        c => c,
    }
}
