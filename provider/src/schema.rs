//! A small builder for the schemas that Terraform asks for.
//!
//! Every attribute has a description: the registry's pages are made from it.

use crate::rpc::pb;
use crate::value::Type;

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The configuration must.
    Required,
    /// The configuration may.
    Optional,
    /// The configuration may; else the provider does.
    Defaulted,
    /// The provider does.
    Computed,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
enum Shape {
    /// A plain value.
    Plain(Type),
    /// Objects whose attributes have descriptions of their own.
    Nested(Nesting, Vec<Attribute>),
}

/// How many objects a nested attribute holds.
#[derive(Clone, Copy, Debug)]
enum Nesting {
    /// One.
    Single,
    /// A list of them.
    List,
}

/// One attribute of a schema.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    name: &'static str,
    shape: Shape,
    source: Source,
    sensitive: bool,
    write_only: bool,
    description: &'static str,
}

impl Attribute {
    /// An attribute that the configuration must set.
    pub(crate) fn required(name: &'static str, of: Type, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(of), Source::Required, description)
    }

    /// An attribute that the configuration may set.
    pub(crate) fn optional(name: &'static str, of: Type, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(of), Source::Optional, description)
    }

    /// An attribute that has a default if the configuration does not set it.
    pub(crate) fn defaulted(name: &'static str, of: Type, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(of), Source::Defaulted, description)
    }

    /// An attribute that only the provider sets.
    pub(crate) fn computed(name: &'static str, of: Type, description: &'static str) -> Self {
        Self::new(name, Shape::Plain(of), Source::Computed, description)
    }

    /// An object that the configuration may set.
    pub(crate) fn nested(
        name: &'static str,
        attributes: Vec<Self>,
        description: &'static str,
    ) -> Self {
        Self::new(name, Shape::Nested(Nesting::Single, attributes), Source::Optional, description)
    }

    /// A list of objects that the configuration may set.
    pub(crate) fn nested_list(
        name: &'static str,
        attributes: Vec<Self>,
        description: &'static str,
    ) -> Self {
        Self::new(name, Shape::Nested(Nesting::List, attributes), Source::Optional, description)
    }

    /// The same, and the configuration must set it.
    pub(crate) fn must_be_set(self) -> Self {
        Self { source: Source::Required, ..self }
    }

    /// The same, never shown.
    pub(crate) fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// The same, in configuration only: it is null in every plan and state, and may be ephemeral.
    pub(crate) fn write_only(self) -> Self {
        Self { write_only: true, ..self }
    }

    fn new(name: &'static str, shape: Shape, source: Source, description: &'static str) -> Self {
        Self { name, shape, source, sensitive: false, write_only: false, description }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The type of the attribute's value.
    fn value_type(&self) -> Type {
        match &self.shape {
            Shape::Plain(of) => of.clone(),
            Shape::Nested(Nesting::Single, attributes) => object_type(attributes),
            Shape::Nested(Nesting::List, attributes) => {
                Type::List(Box::new(object_type(attributes)))
            }
        }
    }

    /// The attribute in the protocol's form.
    fn to_wire(&self) -> pb::schema::Attribute {
        let (plain, nested) = match &self.shape {
            Shape::Plain(of) => (of.to_json().to_string().into_bytes(), None),
            Shape::Nested(nesting, attributes) => {
                (Vec::new(), Some(nested_to_wire(*nesting, attributes)))
            }
        };
        pb::schema::Attribute {
            name: self.name.to_owned(),
            r#type: plain,
            nested_type: nested,
            description: self.description.to_owned(),
            description_kind: pb::StringKind::Markdown.into(),
            required: self.source == Source::Required,
            optional: matches!(self.source, Source::Optional | Source::Defaulted),
            computed: matches!(self.source, Source::Computed | Source::Defaulted),
            sensitive: self.sensitive,
            write_only: self.write_only,
            ..Default::default()
        }
    }
}

/// One schema: of the provider, a resource, an ephemeral resource or a data source.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    description: &'static str,
    attributes: Vec<Attribute>,
}

impl Schema {
    /// A schema with these attributes.
    pub(crate) fn new(description: &'static str, attributes: Vec<Attribute>) -> Self {
        Self { description, attributes }
    }

    /// The type of a value of this schema.
    pub(crate) fn value_type(&self) -> Type {
        object_type(&self.attributes)
    }

    /// The attributes that are only written.
    pub(crate) fn write_only(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.attributes.iter().filter(|attribute| attribute.write_only).map(|it| it.name)
    }

    /// The schema in the protocol's form.
    pub(crate) fn to_wire(&self) -> pb::Schema {
        let block = pb::schema::Block {
            attributes: self.attributes.iter().map(Attribute::to_wire).collect(),
            description: self.description.to_owned(),
            description_kind: pb::StringKind::Markdown.into(),
            ..Default::default()
        };
        pb::Schema { version: 0, block: Some(block) }
    }
}

/// The type of an object with these attributes.
fn object_type(attributes: &[Attribute]) -> Type {
    Type::object(attributes.iter().map(|attribute| (attribute.name, attribute.value_type())))
}

/// Nested objects in the protocol's form.
fn nested_to_wire(nesting: Nesting, attributes: &[Attribute]) -> pb::schema::Object {
    use pb::schema::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
    };
    pb::schema::Object {
        attributes: attributes.iter().map(Attribute::to_wire).collect(),
        nesting: nesting.into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Checks what every schema of this provider must keep.
    pub(crate) fn check(schema: &Schema) {
        for attribute in &schema.attributes {
            check_attribute(attribute);
        }
        assert!(schema.description.ends_with('.'));
    }

    fn check_attribute(attribute: &Attribute) {
        assert!(attribute.description.ends_with('.'), "{}", attribute.name);
        if let Shape::Nested(_, attributes) = &attribute.shape {
            attributes.iter().for_each(check_attribute);
        }
    }

    #[test]
    fn a_nested_attribute_has_no_plain_type() {
        let create = Attribute::optional("create", Type::String, "How long.");
        let wire = Attribute::nested("timeouts", vec![create], "Limits.").to_wire();
        assert!(wire.r#type.is_empty());
        assert_eq!(wire.nested_type.unwrap().attributes[0].r#type, b"\"string\"");
    }

    #[test]
    fn a_defaulted_attribute_is_optional_and_computed() {
        let wire = Attribute::defaulted("kind", Type::String, "The kind.").to_wire();
        assert!(wire.optional && wire.computed && !wire.required);
    }
}
