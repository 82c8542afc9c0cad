//! Policies that mean harm. Each would permit if what it does came to a good end.

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
pub(super) fn policies() -> Vec<(&'static str, String)> {
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
