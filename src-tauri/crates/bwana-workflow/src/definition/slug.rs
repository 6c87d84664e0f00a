//! Slugs: the short names by which files, steps and results call one another.

/// Characters a slug may have.
pub const SLUG_MAX_CHARS: usize = 40;

/// The slug of a name: its letters and digits in lower case ASCII, joined by `_`, cut at 40 characters. A name in
/// another script is transliterated (`Étude de marché` becomes `etude_de_marche`). `None` if nothing is left.
pub fn slug(name: &str) -> Option<String> {
    let ascii = deunicode::deunicode(name);
    let words = ascii
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '\'')
        .map(|word| word.replace('\'', "").to_ascii_lowercase())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("_");
    let cut = &words[..words.len().min(SLUG_MAX_CHARS)];
    let cut = cut.trim_end_matches('_');
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// Whether a text is a slug as people may write it: lower-case letters, digits and underscores, 1 to 40 characters,
/// starting with a letter or digit.
pub fn is_slug(text: &str) -> bool {
    text.len() <= SLUG_MAX_CHARS
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Ids for a list of siblings: the given id, else the slug of the name, with `-2`, `-3` … behind a derived one that
/// is taken. Given ids are never changed, so a derived id also makes way for one given later.
pub(super) fn sibling_ids<'a>(siblings: &[(Option<&'a str>, &'a str)]) -> Vec<String> {
    let given: Vec<&str> = siblings.iter().filter_map(|(id, _)| *id).collect();
    let mut ids: Vec<String> = Vec::with_capacity(siblings.len());
    for (position, (id, name)) in siblings.iter().enumerate() {
        let id = if let Some(id) = id {
            (*id).to_owned()
        } else {
            let base = slug(name).unwrap_or_else(|| format!("step_{}", position + 1));
            let taken = |id: &str| given.contains(&id) || ids.iter().any(|other| other == id);
            std::iter::once(base.clone())
                .chain((2..=siblings.len() + 1).map(|n| format!("{base}-{n}")))
                .find(|id| !taken(id))
                .unwrap_or(base)
        };
        ids.push(id);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let slug = slug(name);
        assert_eq!(slug.as_deref(), expected, "{name:?}");
        if let Some(slug) = slug {
            assert!(is_slug(&slug), "{slug:?}");
        }
    }

    #[test]
    fn a_slug_is_the_name_in_lower_case_ascii_cut_at_40() {
        check("Research target market", Some("research_target_market"));
        check("  Sales & Marketing!  ", Some("sales_marketing"));
        check("Étude de marché", Some("etude_de_marche"));
        check("Customer's site — v2", Some("customers_site_v2"));
        check("a".repeat(80).as_str(), Some("a".repeat(40).as_str()));
        check(
            "Generate a very long technical solution for all",
            Some("generate_a_very_long_technical_solution"),
        );
        check("المالية", Some("lmly"));
        check("!!!", None);
        check("", None);
    }

    #[test]
    fn derived_ids_make_way_for_each_other_and_for_given_ones() {
        let ids = sibling_ids(&[
            (None, "Report"),
            (None, "Report"),
            (Some("report_two"), "Report"),
            (None, "report two"),
            (None, "???"),
            (None, "Report"),
        ]);
        assert_eq!(
            ids,
            [
                "report",
                "report-2",
                "report_two",
                "report_two-2",
                "step_5",
                "report-3"
            ]
        );
    }
}
