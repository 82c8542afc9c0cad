//! Whether a table has code of its own: something that runs when others use it.
//!
//! What PostgreSQL itself brings is no proof of harmlessness: `query_to_xml` and its kin run whatever SQL
//! they are given as text. So of expressions only forms that are listed here are let through, and in
//! them only functions that compute from their arguments and nothing else, and a few that tell the time,
//! make an id or count. Source: PostgreSQL documentation, chapter *System Catalogs*, and sections *XML
//! Functions* and *Function Volatility Categories*.

use tokio_postgres::Client;

use super::session::told;
use crate::broker::BrokerError;

/// Whether a table is columns of PostgreSQL's own types and nothing that runs: no rule (it runs with
/// the owner's rights), no expression in an index or in statistics (they run so when the table is
/// vacuumed), no trigger, no policy, and no default or constraint that needs what is not
/// PostgreSQL's own. Nor does it share anything with another table, but for a sequence of its owner.
const BARE: &str = "SELECT NOT (\
    EXISTS (SELECT FROM pg_rewrite WHERE ev_class = $1) \
    OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal) \
    OR EXISTS (SELECT FROM pg_policy WHERE polrelid = $1) \
    OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = $1 OR inhparent = $1) \
    OR EXISTS (SELECT FROM pg_class WHERE oid = $1 AND reloftype <> 0) \
    OR EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = $1) \
    OR EXISTS (SELECT FROM pg_index WHERE indrelid = $1 AND (indexprs IS NOT NULL OR indpred IS NOT NULL)) \
    OR EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
        WHERE a.attrelid = $1 AND t.typnamespace <> 'pg_catalog'::regnamespace) \
    OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid <> 'pg_class'::regclass AND ( \
        d.classid = 'pg_attrdef'::regclass \
            AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = $1) \
        OR d.classid = 'pg_constraint'::regclass \
            AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid = $1))) \
    OR EXISTS (SELECT FROM pg_depend d JOIN pg_class other ON other.oid = d.refobjid \
        JOIN pg_class own ON own.oid = $1 WHERE d.classid = 'pg_attrdef'::regclass \
        AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = $1) \
        AND d.refclassid = 'pg_class'::regclass AND other.oid <> own.oid \
        AND (other.relkind <> 'S' OR other.relowner <> own.relowner)))";

/// Whether the defaults, generated columns and checks of a table are of forms that are known, and call
/// only what is harmless. They are read as PostgreSQL stores them, which is after all names were looked
/// up; versions differ in the names of some forms. `nextval` is of a sequence that the default names as
/// such, so that it is known which: a number that is taken for one would be unknown to `pg_depend`.
const HARMLESS: &str = "WITH code (tree) AS ( \
        SELECT adbin::text FROM pg_attrdef WHERE adrelid = $1 UNION ALL \
        SELECT conbin::text FROM pg_constraint WHERE conrelid = $1 AND conbin IS NOT NULL), \
    forms (form, tree) AS ( \
        SELECT form[1], tree FROM code, regexp_matches(tree, '[{]([A-Za-z_0-9]+)', 'g') form), \
    called (function, tree) AS ( \
        SELECT id[1]::oid, tree FROM code, regexp_matches(tree, ':funcid ([0-9]+)', 'g') id UNION ALL \
        SELECT (SELECT o.oprcode::oid FROM pg_operator o WHERE o.oid = id[1]::oid), tree \
        FROM code, regexp_matches(tree, ':opno ([0-9]+)', 'g') id), \
    known (function, counts) AS ( \
        SELECT p.oid, p.proname = 'nextval' FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND l.lanname = 'internal' AND ( \
            p.provolatile = 'i' OR p.proname IN ('now', 'clock_timestamp', 'gen_random_uuid', \
                'nextval', 'statement_timestamp', 'transaction_timestamp'))) \
    SELECT NOT ( \
        EXISTS (SELECT FROM forms WHERE form NOT IN ('ARRAY', 'ARRAYCOERCEEXPR', 'ARRAYEXPR', \
            'BOOLEANTEST', 'BOOLEXPR', 'CASE', 'CASEEXPR', 'CASETESTEXPR', 'CASEWHEN', 'COALESCE', \
            'COALESCEEXPR', 'CONST', 'FUNCEXPR', 'NULLTEST', 'OPEXPR', 'RELABELTYPE', \
            'SCALARARRAYOPEXPR', 'SQLVALUEFUNCTION', 'VAR', 'WHEN')) \
        OR EXISTS (SELECT FROM called c WHERE NOT EXISTS ( \
            SELECT FROM known k WHERE k.function = c.function)) \
        OR EXISTS (SELECT FROM called JOIN known USING (function) JOIN forms USING (tree) \
            WHERE counts AND form NOT IN ('CONST', 'FUNCEXPR')))";

/// Whether nothing of a table runs that whoever made it wrote. To be asked while it is locked.
pub(super) async fn is_plain(client: &Client, table: u32) -> Result<bool, BrokerError> {
    for sql in [BARE, HARMLESS] {
        let row = client.query_one(sql, &[&table]).await.map_err(told)?;
        if !row.try_get::<_, bool>(0).map_err(told)? {
            return Ok(false);
        }
    }
    Ok(true)
}
