//! One entry of the table of routes: method, place, handler, and what the OpenAPI file says of it, all in one place.
//! Which routes there are is in `routes` and in `config_api`; the file is written in `openapi`.

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Responder, Route, web};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// How a body looks.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

fn shape<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

/// A parameter in the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// JSON Schema type, format and example, as they stand in the file.
    pub(crate) schema: &'static str,
    pub(crate) about: &'static str,
}

/// An answer.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) about: &'static str,
    /// The body; `None`: an error's.
    pub(crate) shape: Option<Shape>,
}

/// A route with what is said of it.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Below `/v3`, as `/paths/get/{name}`; `{name:.*}` takes slashes.
    pub(crate) path: String,
    pub(crate) route: Route,
    pub(crate) about: String,
    pub(crate) queries: Vec<Parameter>,
    pub(crate) body: Option<(Shape, &'static str)>,
    pub(crate) answers: Vec<Answer>,
    /// The answer is a list in pages.
    pub(crate) paged: bool,
    /// The answer goes on: server-sent events.
    pub(crate) endless: bool,
}

impl Endpoint {
    fn new<F, Args>(method: Method, path: impl Into<String>, handler: F, about: impl Into<String>) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self {
            route: web::method(method.clone()).to(handler),
            method,
            path: path.into(),
            about: about.into(),
            queries: Vec::new(),
            body: None,
            answers: Vec::new(),
            paged: false,
            endless: false,
        }
    }

    /// One that shows something; `about` is a sentence without its full stop.
    pub(crate) fn get<F, Args>(path: impl Into<String>, handler: F, about: impl Into<String>) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::GET, path, handler, about)
    }

    /// One that does something.
    pub(crate) fn post<F, Args>(path: impl Into<String>, handler: F, about: impl Into<String>) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::POST, path, handler, about)
    }

    /// One that changes parts of something.
    pub(crate) fn patch<F, Args>(path: impl Into<String>, handler: F, about: impl Into<String>) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::PATCH, path, handler, about)
    }

    /// One that takes something away.
    pub(crate) fn delete<F, Args>(path: impl Into<String>, handler: F, about: impl Into<String>) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::DELETE, path, handler, about)
    }

    /// What 200 brings.
    pub(crate) fn gives<T: JsonSchema>(self, about: &'static str) -> Self {
        self.answer(200, about, Some(shape::<T>))
    }

    /// A list of these in pages, with the parameters that every list has.
    pub(crate) fn lists<T: JsonSchema>(mut self, about: &'static str) -> Self {
        self.paged = true;
        self.gives::<T>(about)
            .query(
                "itemsPerPage",
                r#"{"type":"integer","minimum":1,"maximum":2147483647,"default":100}"#,
                "Items on a page",
            )
            .query(
                "page",
                r#"{"type":"integer","minimum":0,"maximum":2147483647,"default":0}"#,
                "Which page, from 0; beyond the end it is empty",
            )
            .fails(
                400,
                "A parameter is no number, or there would be nothing on a page",
            )
    }

    /// Server-sent events without an end.
    pub(crate) fn tells(mut self, about: &'static str) -> Self {
        self.endless = true;
        self.gives::<String>(about)
            .query(
                "match",
                r#"{"type":"string","maxLength":200,"examples":["exam_*"]}"#,
                "Only streams whose names are so: `*` stands for any text, `?` for one character",
            )
            .fails(
                400,
                "The pattern is missing where it must not be, or longer than any name",
            )
    }

    /// The JSON body it takes.
    pub(crate) fn takes<T: JsonSchema>(mut self, about: &'static str) -> Self {
        self.body = Some((shape::<T>, about));
        self
    }

    /// A parameter in the query; `schema` is JSON.
    pub(crate) fn query(mut self, name: &'static str, schema: &'static str, about: &'static str) -> Self {
        self.queries.push(Parameter { name, schema, about });
        self
    }

    /// An error with MediaMTX's body.
    pub(crate) fn fails(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, None)
    }

    /// Any other answer with a body of its own.
    pub(crate) fn answers<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Some(shape::<T>))
    }

    fn answer(mut self, status: u16, about: &'static str, shape: Option<Shape>) -> Self {
        self.answers.push(Answer { status, about, shape });
        self
    }
}
