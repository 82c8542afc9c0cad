//! Policies and inputs that mean harm. Each is contained, none permits, and whoever asks something
//! sensible meanwhile gets an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use assent_rego::{Answer, Dialect, Limits, Module, Opinion, Policy, Pool, Version};
use serde_json::{Value, json};

use crate::support::{limits, permits, policy, pool};

/// A body that would permit if it ever came to its end.
fn after(bomb: &str) -> String {
    format!("package assent\nopinion := {{\"ruling\": \"permit\"}} if {{\n{bomb}\n}}\n")
}

/// A chain in which each value is made from the last: `x0`, `x1` …
fn chain(begin: &str, step: &str, times: usize) -> String {
    let mut text = format!("x0 := {begin}\n");
    for at in 1..=times {
        let last = format!("x{}", at - 1);
        text += &format!("x{at} := {}\n", step.replace('$', &last));
    }
    text + &format!("x{times} != null")
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("package assent\nopinion := {}1{}\n", open.repeat(depth), close.repeat(depth))
}

/// Name and text of every hostile policy.
#[rustfmt::skip]
fn policies() -> Vec<(&'static str, String)> {
    let permit = "opinion := {\"ruling\": \"permit\"}";
    let loops = |lines: usize| (0..lines).map(|at| format!("some v{at} in numbers.range(1, 200)\n")).collect::<String>();
    let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]";
    vec![
        // Memory.
        ("replace bomb", after(&chain("\"aaaaaaaaaa\"", "replace($, \"a\", \"aaaaaaaaaa\")", 12))),
        ("concat bomb", after(&chain("\"aaaaaaaa\"", "concat(\"\", [$, $, $, $])", 20))),
        ("sprintf bomb", after(&chain("\"aaaaaaaa\"", "sprintf(\"%s%s%s%s\", [$, $, $, $])", 20))),
        ("replace_n bomb", after(&chain("\"aaaaaaaa\"", "strings.replace_n({\"a\": \"aaaaaaaa\"}, $)", 14))),
        ("regex.replace bomb", after(&chain("\"aaaaaaaa\"", "regex.replace($, \"a\", \"aaaaaaaa\")", 14))),
        ("array bomb", after(&chain("[1, 2, 3, 4]", "array.concat($, array.concat($, $))", 24))),
        ("nested array bomb", after(&format!("{}\ncount(json.marshal(x40)) > 0", chain("[1]", "[$, $]", 40)))),
        ("yaml.marshal bomb", after(&format!("{}\ncount(yaml.marshal(x40)) > 0", chain("[1]", "[$, $]", 40)))),
        ("hex bomb", after(&chain("\"aaaaaaaa\"", "hex.encode($)", 40))),
        ("base64 bomb", after(&chain("\"aaaaaaaa\"", "base64.encode($)", 80))),
        ("urlquery bomb", after(&chain("\"%%%%%%%%\"", "urlquery.encode(concat(\"\", [$, $]))", 40))),
        ("numbers.range", after("count(numbers.range(1, 20000000000)) > 0")),
        ("numbers.range, ten times", after(&"count(numbers.range(1, 20000000)) > 0\n".repeat(10))),
        ("numbers.range_step", after("count(numbers.range_step(1, 20000000000, 1)) > 0")),
        ("range of ranges", after("x := [y | some i in numbers.range(1, 100000); y := numbers.range(1, 100000)]\ncount(x) > 0")),
        ("bits.lsh", after("bits.lsh(1, 40000000000) > 0")),
        ("bits.lsh, ten times", after(&"bits.lsh(1, 4000000000) > 0\n".repeat(10))),
        ("big squares", after(&chain("12345678901234567890", "$ * $", 40))),
        ("cidr of v4", after("count(net.cidr_expand(\"0.0.0.0/0\")) > 0")),
        ("cidr of v6", after("count(net.cidr_expand(\"::/0\")) > 0")),
        ("billion laughs", after(&format!("x := yaml.unmarshal(\"{laughs}\")\ncount(json.marshal(x)) > 0"))),
        ("sort of much", after("count(sort(numbers.range(1, 50000000))) > 0")),
        ("set of much", after("count({x | some x in numbers.range(1, 50000000)}) > 0")),
        ("split of much", after(&format!("{}\ncount(split(x9, \"\")) > 0", chain("\"aaaaaaaaaa\"", "concat(\"\", [$, $, $, $, $, $, $, $])", 9)))),
        ("union of much", after("count(union({{x} | some x in numbers.range(1, 50000000)})) > 0")),
        ("wide format", after("count(sprintf(\"%2000000000d\", [1])) > 0")),
        ("long fraction", after("count(sprintf(\"%.2000000000f\", [1.5])) > 0")),
        // Time.
        ("loops", after(&loops(8))),
        ("loops in a comprehension", after(&format!("count([1 | {}]) > 0", loops(8).replace('\n', "; ").trim_end_matches("; ")))),
        ("every over every", after("every a in numbers.range(1, 10000) {\nevery b in numbers.range(1, 10000) { a + b > 0 }\n}")),
        ("calls of calls", {
            let steps: String = (1..40).map(|at| format!("f{at}(x) := f{}(x) + f{}(x)\n", at - 1, at - 1)).collect();
            format!("package assent\nf0(x) := x\n{steps}{permit} if f39(1) > 0\n")
        }),
        ("paths of a dense graph", after("g := {sprintf(\"%d\", [i]): [sprintf(\"%d\", [j]) | some j in numbers.range(1, 40)] | some i in numbers.range(1, 40)}\ncount(graph.reachable_paths(g, {\"1\"})) > 0")),
        ("walk of much", after("x := {i: numbers.range(1, 1000) | some i in numbers.range(1, 1000)}\ncount([p | walk(x, [p, _])]) > 0")),
        ("regex over much", after(&format!("{}\ncount(regex.find_n(\"(a+)+b|a\", x9, -1)) > 0", chain("\"aaaaaaaaaa\"", "concat(\"\", [$, $, $, $, $, $, $, $])", 9)))),
        ("regex of repetitions", after("regex.match(\"((a{1000}){1000}){1000}\", \"a\") == false")),
        ("glob of alternatives", after(&format!("{}
glob.match(x4, [], \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\") == false", chain("\"{a,b,c,d,*}\"", "concat(\"\", [$, $, $, $, $, $, $, $])", 4)))),
        // Recursion.
        ("function in itself", format!("package assent\nf(x) := y if {{ y := f(x + 1) }}\n{permit} if f(1)\n")),
        ("functions in each other", format!("package assent\nf(x) := g(x)\ng(x) := f(x)\n{permit} if not f(1)\n")),
        ("function in itself by `with`", format!("package assent\nf(x) := y if {{ y := g(x) with g as f }}\ng(x) := x\n{permit} if not f(1)\n")),
        ("rule in itself", format!("package assent\na if not a\n{permit} if not a\n")),
        ("rule in its package", format!("package assent\n{permit} if count(data.assent) == 0\n")),
        // Parsing.
        ("thirteen brackets", nested("[", "]", 13)),
        ("thirty braces", nested("{", "}", 30)),
        ("parentheses", nested("(", ")", 100_000)),
        ("twelve brackets, often", format!("package assent\n{}{permit}", (0..4000).map(|at| format!("r{at} := {{[{{[{{[{{[{{[{{[1]}}]}}]}}]}}]}}]}}\n")).collect::<String>())),
        ("a long sum", format!("package assent\nopinion := x if {{ x := {} }}", "1 +\n".repeat(15_000) + "1")),
        ("a long reference", format!("package assent\n{permit} if not input{}", ".a".repeat(8_000))),
        ("a long line", format!("package assent\n{permit} # {}\nx := \"{}\"", "x", "y".repeat(100_000))),
        ("more than 256 KB", format!("package assent\n{permit}\n# {}", "x".repeat(300_000))),
        ("more than 20,000 lines", format!("package assent\n{permit}\n{}", "\n#".repeat(25_000))),
        ("no package", permit.to_owned()),
        ("nothing", String::new()),
        ("an open string", format!("package assent\n{permit}\nx := \"abc")),
        // Characters.
        ("NUL", format!("package assent\n{permit}\n\0\nopinion := {{\"ruling\": \"refuse\"}}")),
        ("direction marks", format!("package assent\n{permit} # \u{202E}\u{2066}")),
        ("byte order mark", format!("\u{FEFF}package assent\n{permit}")),
        ("a look-alike rule", "package assent\n\u{43E}pinion := {\"ruling\": \"permit\"}".to_owned()),
        ("a look-alike ruling", "package assent\nopinion := {\"ruling\": \"p\u{435}rmit\"}".to_owned()),
        ("a wide ruling", "package assent\nopinion := {\"ruling\": \"\u{FF50}ermit\"}".to_owned()),
        // What means something else.
        ("an error behind a default", format!("package assent\ndefault {permit}\nopinion := {{\"ruling\": \"refuse\"}} if to_number(\"abc\") > 1")),
        ("a conflict", format!("package assent\n{permit}\nopinion := {{\"ruling\": \"refuse\"}} if input.user")),
        ("two values of a function", format!("package assent\nf(_) := 1\nf(_) := 2\n{permit} if not f(0) == 3")),
        ("http.send negated", format!("package assent\n{permit} if not http.send({{\"url\": \"http://x\"}})")),
        ("an unknown function negated", format!("package assent\n{permit} if not no.such(1)")),
        ("a wildcard negated", format!("package assent\nf(x) if x == 1\n{permit} if not f(input.xs[_])")),
        ("something missing negated", format!("package assent\n{permit} if not startswith(input.nobody, \"x\")")),
        ("an error negated", format!("package assent\n{permit} if not regex.match(\"(\", \"x\")")),
        ("a panic", format!("package assent\n{permit} if strings.count(\"aaa\", \"\") != 4")),
        ("a target", format!("package assent\n__target__ := \"x\"\n{permit}")),
        ("chance", format!("package assent\n{permit} if rand.intn(\"x\", 2) >= 0")),
        ("no opinion", "package assent\nx := 1".to_owned()),
        ("an undefined opinion", format!("package assent\n{permit} if false")),
        ("an opinion that is a function", "package assent\nopinion(x) := {\"ruling\": \"permit\"}".to_owned()),
        ("a text for an opinion", "package assent\nopinion := \"permit\"".to_owned()),
        ("true for an opinion", "package assent\nopinion := true".to_owned()),
        ("a set for an opinion", "package assent\nopinion contains \"permit\"".to_owned()),
        ("a ruling in a list", "package assent\nopinion := {\"ruling\": [\"permit\"]}".to_owned()),
        ("a ruling that is true", "package assent\nopinion := {\"ruling\": true}".to_owned()),
        ("a ruling in capitals", "package assent\nopinion := {\"ruling\": \"PERMIT\"}".to_owned()),
        ("a ruling with a space", "package assent\nopinion := {\"ruling\": \"permit \"}".to_owned()),
        ("an unknown field", "package assent\nopinion := {\"ruling\": \"permit\", \"really\": true}".to_owned()),
        ("reasons of the wrong kind", "package assent\nopinion := {\"ruling\": \"permit\", \"reasons\": {\"a\": 1}}".to_owned()),
        // What comes out.
        ("a long answer", "package assent\nopinion := {\"ruling\": \"permit\", \"reasons\": [sprintf(\"%d %s\", [i, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]) | some i in numbers.range(1, 3000)]}".to_owned()),
        ("a deep answer", format!("package assent\nopinion := {{\"ruling\": \"permit\", \"reasons\": json.unmarshal(\"{}{}\")}}", "[".repeat(120), "]".repeat(120))),
        ("a deep text", after(&format!("json.unmarshal(\"{}\") != 1", "[".repeat(10_000)))),
        ("an answer that is no number", "package assent\nopinion := 1e999".to_owned()),
        ("much printing", format!("package assent\n{permit} if {{\nsome i in numbers.range(1, 100000)\nprint(i, numbers.range(1, 1000))\ni > 99999\n}}")),
    ]
}

fn well_behaved() -> Policy {
    let text = "package assent\ndefault opinion := {\"ruling\": \"refuse\"}\nopinion := {\"ruling\": \"permit\"} if input.user == \"alice\"\n";
    policy(Dialect::Assent, text)
}

/// Asks something sensible again and again until it is told to stop.
async fn meanwhile(pool: &Pool, stop: &AtomicBool, answered: &AtomicUsize) {
    let policy = well_behaved();
    while !stop.load(Ordering::SeqCst) {
        for (user, permitted) in [("alice", true), ("bob", false)] {
            let answer = pool.ask_with_input(&policy, &json!({"user": user}), 0).await;
            assert!(matches!(answer.opinion, Opinion::Answered { .. }), "{:?}", answer.opinion);
            assert_eq!(permits(&answer.opinion), permitted, "{user}");
            answered.fetch_add(1, Ordering::SeqCst);
        }
        // Not more than it needs of the machine that the others need too.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Asks all of them, three at a time, while somebody asks something sensible of the same pool.
async fn contained(asked: Vec<(String, Policy, Value)>) -> Vec<(String, Answer)> {
    let pool =
        pool(Limits { workers: 4, evaluation: std::time::Duration::from_secs(3), ..limits() });
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let sensible = {
        let (pool, stop, answered) = (pool.clone(), Arc::clone(&stop), Arc::clone(&answered));
        tokio::spawn(async move { meanwhile(&pool, &stop, &answered).await })
    };
    let waiting = Arc::new(std::sync::Mutex::new(asked));
    let hostile: Vec<_> = (0..3)
        .map(|_| {
            let (pool, waiting) = (pool.clone(), Arc::clone(&waiting));
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let next = waiting.lock().unwrap().pop();
                    let Some((name, policy, input)) = next else { return done };
                    let answer = pool.ask_with_input(&policy, &input, 0).await;
                    done.push((name, answer));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for each in hostile {
        all.extend(each.await.unwrap());
    }
    stop.store(true, Ordering::SeqCst);
    sensible.await.unwrap();
    assert!(answered.load(Ordering::SeqCst) >= 2, "nobody was answered meanwhile");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t49_hostile_policies_are_contained_and_none_permits() {
    let all = policies();
    assert!(all.len() >= 50, "only {}", all.len());
    let mut asked = Vec::new();
    for (name, text) in all {
        // What the scan refuses never reaches a worker.
        if let Ok(module) = Module::new("policy.rego", &text, Version::V1) {
            let policy = Policy::new(Dialect::Assent, vec![module]).unwrap();
            asked.push((name.to_owned(), policy, json!({"user": "x", "xs": [1, 2]})));
        }
    }
    let reached = asked.len();
    assert!(reached >= 60, "only {reached} were not refused by the scan");
    let mut answered = contained(asked).await;
    answered.retain(|(_, answer)| !matches!(answer.opinion, Opinion::Failed { .. }));
    assert!(answered.is_empty(), "{answered:?}");
}

/// Every one of these must be refused before any worker sees it.
#[test]
fn t49_what_the_scan_can_know_never_reaches_a_parser() {
    let scanned = [
        "thirteen brackets",
        "thirty braces",
        "parentheses",
        "more than 256 KB",
        "NUL",
        "direction marks",
        "byte order mark",
        "an open string",
    ];
    for (name, text) in policies() {
        let refused = Module::new("policy.rego", &text, Version::V1).is_err();
        assert_eq!(refused, scanned.contains(&name), "{name}");
    }
}

/// Permits one input; every part of it is used in a way that an attacker might bend.
const GUARDED: &str = r#"package assent
default opinion := {"ruling": "refuse"}
opinion := {"ruling": "permit"} if {
	input.user == "alice"
	input.plan.ok == true
	input.plan.deletes == 0
	count(input.plan.types) < 10
	not "aws_iam_role" in input.plan.types
	not startswith(input.ticket, "EXT-")
	every type in input.plan.types { type != "aws_db_instance" }
	input.weight <= 1
	tried
}
tried if not input.try
tried if regex.match(input.try.re, input.try.text) == true
tried if glob.match(input.try.glob, [], input.try.text) == true
tried if to_number(input.try.number) > 3
tried if count(numbers.range(1, input.try.range)) > 3
tried if bits.lsh(1, input.try.shift) > 3
tried if count(sprintf(input.try.format, [1])) > 3
tried if strings.count(input.try.text, input.try.part) > 3
tried if count(replace(input.try.text, "a", input.try.text)) > 1000000000
tried if json.unmarshal(input.try.json) == 1
tried if yaml.unmarshal(input.try.yaml) == 1
tried if units.parse_bytes(input.try.bytes) > 1
tried if net.cidr_contains(input.try.cidr, "10.0.0.1") == true
tried if time.parse_rfc3339_ns(input.try.time) > 1
tried if count(net.cidr_expand(input.try.expand)) > 1
tried if semver.compare(input.try.version, "1.0.0") == 1
tried if base64.decode(input.try.base64) == "x"
tried if hex.decode(input.try.hex) == "x"
tried if substring(input.try.text, input.try.from, input.try.length) == "zz"
tried if format_int(input.try.int, input.try.base) == "zz"
tried if time.add_date(input.try.ns, input.try.years, 0, 0) == 1
"#;

fn good() -> Value {
    json!({
        "user": "alice",
        "plan": {"ok": true, "deletes": 0, "types": ["aws_s3_bucket"]},
        "ticket": "INT-1",
        "weight": 1,
    })
}

/// Name of every hostile input, and the input.
fn inputs() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut whole = |name: &str, input: Value| all.push((name.to_owned(), input));
    for (name, input) in [
        ("null", json!(null)),
        ("true", json!(true)),
        ("a number", json!(1)),
        ("a text", json!("alice")),
        ("a list", json!([good()])),
        ("nothing", json!({})),
        ("a long text", json!("x".repeat(17 * 1024 * 1024))),
        ("a long list", json!(vec![0; 3_000_000])),
        ("many members", (0..200_000).map(|at| (format!("k{at}"), json!(at))).collect()),
        ("the input in itself", json!({"input": good()})),
    ] {
        whole(name, input);
    }
    for depth in [101, 110, 120] {
        let deep = (0..depth).fold(json!(1), |inner, _| json!([inner]));
        let mut input = good();
        input["plan"]["deep"] = deep;
        whole(&format!("{depth} levels"), input);
    }
    let mut bent = |path: &str, value: Value| {
        let mut input = good();
        let name = format!("{path} = {}", value.to_string().chars().take(60).collect::<String>());
        match path.split_once('.') {
            Some((outer, inner)) => input[outer][inner] = value,
            None => input[path] = value,
        }
        all.push((name, input));
    };
    for user in [
        json!("Alice"),
        json!("ALICE"),
        json!("alice "),
        json!(" alice"),
        json!("alice\0"),
        json!("alice\u{200B}"),
        json!("\u{430}lice"),
        json!("ali\u{301}ce"),
        json!("\u{FF41}lice"),
        json!("\u{202E}ecila"),
        json!(["alice"]),
        json!({"alice": true}),
        json!(null),
        json!(true),
        json!(0),
    ] {
        bent("user", user);
    }
    for ok in [json!("true"), json!(1), json!([true]), json!({"ok": true}), json!(null)] {
        bent("plan.ok", ok);
    }
    for deletes in [
        json!("0"),
        json!(false),
        json!(null),
        json!([]),
        json!(1e-300),
        json!(-1),
        json!(u64::MAX),
    ] {
        bent("plan.deletes", deletes);
    }
    for types in [
        json!(null),
        json!("aws_s3_bucket"),
        json!(7),
        json!(["aws_iam_role"]),
        json!(["aws_db_instance"]),
        json!({"a": "aws_iam_role"}),
        json!(vec!["a"; 10]),
        json!(true),
    ] {
        bent("plan.types", types);
    }
    for ticket in [json!(null), json!(["INT-1"]), json!(1), json!("EXT-1"), json!({"INT-1": 1})] {
        bent("ticket", ticket);
    }
    for weight in [
        json!(1.000_000_000_000_001),
        json!(u64::MAX),
        json!(1e308),
        json!("1"),
        json!([1]),
        json!({}),
    ] {
        bent("weight", weight);
    }
    let aaa = "a".repeat(2_000_000);
    for tried in [
        json!({"re": "(", "text": "x"}),
        json!({"re": "((a{1000}){1000}){1000}", "text": "x"}),
        json!({"re": "(a|a)*b", "text": aaa}),
        json!({"glob": "{a,b".repeat(5_000), "text": "x"}),
        json!({"number": "1e400000000"}),
        json!({"number": "Infinity"}),
        json!({"number": "NaN"}),
        json!({"number": "0x10"}),
        json!({"number": "\u{0664}"}),
        json!({"range": 20_000_000_000_i64}),
        json!({"range": 1e300}),
        json!({"range": 2.5}),
        json!({"shift": 4_000_000_000_000_i64}),
        json!({"shift": -1}),
        json!({"shift": 1e300}),
        json!({"format": "%9999999999d"}),
        json!({"format": "%.9999999999f"}),
        json!({"format": "%"}),
        json!({"text": "aaaa", "part": ""}),
        json!({"text": aaa}),
        json!({"json": "[".repeat(100_000)}),
        json!({"json": "1 1"}),
        json!({"json": "1e99999999"}),
        json!({"yaml": "a: &a [*a]"}),
        json!({"yaml": "!!python/object 1"}),
        json!({"yaml": "[".repeat(20_000)}),
        json!({"bytes": "1e100000000000"}),
        json!({"bytes": "-1"}),
        json!({"bytes": "9XB"}),
        json!({"cidr": "0.0.0.0/-1"}),
        json!({"cidr": "::ffff:10.0.0.1/129"}),
        json!({"time": "9999999-01-01T00:00:00Z"}),
        json!({"time": "0000-00-00T99:99:99Z"}),
        json!({"expand": "::/0"}),
        json!({"expand": "0.0.0.0/0"}),
        json!({"version": "1.0.0-\u{202E}"}),
        json!({"version": "99999999999999999999999.0.0"}),
        json!({"base64": "===="}),
        json!({"hex": "0"}),
        json!({"text": "zz", "from": -1, "length": -9}),
        json!({"text": "zz", "from": u64::MAX, "length": u64::MAX}),
        json!({"int": 35, "base": 99}),
        json!({"int": 1e300, "base": 2}),
        json!({"ns": i64::MAX, "years": i64::MAX}),
        json!([]),
        json!(0),
        json!("x"),
    ] {
        bent("try", tried);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t49_hostile_inputs_are_contained_and_none_permits() {
    let guarded = policy(Dialect::Assent, GUARDED);
    let control = pool(limits()).ask_with_input(&guarded, &good(), 0).await;
    assert!(permits(&control.opinion), "the good input must be permitted: {:?}", control.opinion);
    let all = inputs();
    assert!(all.len() >= 50, "only {}", all.len());
    // Each under a revision of its own, so that the breaker does not spare any of them.
    let asked = all.into_iter().enumerate().map(|(at, (name, input))| {
        (name, policy(Dialect::Assent, &format!("{GUARDED}\n# {at}\n")), input)
    });
    let mut permitted = contained(asked.collect()).await;
    permitted.retain(|(_, answer)| permits(&answer.opinion));
    assert!(permitted.is_empty(), "{permitted:?}");
}
