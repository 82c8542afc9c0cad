//! Inputs that mean harm, and a policy that permits one good input.

use serde_json::{Value, json};

/// Permits one input; every part of it is used in a way that an attacker might bend.
pub(super) const GUARDED: &str = r#"package assent
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

pub(super) fn good() -> Value {
    json!({
        "user": "alice",
        "plan": {"ok": true, "deletes": 0, "types": ["aws_s3_bucket"]},
        "ticket": "INT-1",
        "weight": 1,
    })
}

/// Name of every hostile input, and the input.
pub(super) fn inputs() -> Vec<(String, Value)> {
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
