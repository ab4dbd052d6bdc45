//! Structs encoded as MessagePack arrays that old and new releases both read: fields are only appended, what is missing
//! at the end takes its default, what is unknown at the end is skipped. serde's derive refuses both.

/// Declares a struct with derived array encoding and tolerant decoding. A field of a later version is written
/// `name: Type = default`; one that is read with more tolerance than its type has, `name: Type as Reader`.
macro_rules! positional {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$fmeta:meta])* pub $field:ident : $ty:ty $(as $reader:ty)? $(= $default:expr)?),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(serde::Serialize)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty),+ }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V;
                impl<'de> serde::de::Visitor<'de> for V {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an array of the fields of ", stringify!($name)))
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        $(let $field: $ty = match seq.next_element::<$crate::positional::reader!($ty $(, $reader)?)>()? {
                            Some(value) => value.into(),
                            None => $crate::positional::missing!($field $(, $default)?),
                        };)+
                        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                        Ok($name { $($field),+ })
                    }
                }
                d.deserialize_seq(V)
            }
        }
    };
}

/// What stands for a field that the sender did not know.
macro_rules! missing {
    ($field:ident) => {
        return Err(serde::de::Error::missing_field(stringify!($field)))
    };
    ($field:ident, $default:expr) => {
        $default
    };
}

/// The type a field is read as.
macro_rules! reader {
    ($ty:ty) => {
        $ty
    };
    ($ty:ty, $reader:ty) => {
        $reader
    };
}

pub(crate) use {missing, positional, reader};

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro makes public types")]
mod tests {

    positional! {
        #[derive(Debug, PartialEq)]
        pub struct Old { pub a: u8, pub b: String }
    }
    positional! {
        #[derive(Debug, PartialEq)]
        pub struct New { pub a: u8, pub b: String, pub c: u32 = 7, pub d: Vec<u8> = vec![] }
    }

    #[test]
    fn old_and_new_read_each_other() {
        let old = rmp_serde::to_vec(&Old { a: 1, b: "x".into() }).unwrap();
        let new: New = rmp_serde::from_slice(&old).unwrap();
        assert_eq!(
            new,
            New {
                a: 1,
                b: "x".into(),
                c: 7,
                d: vec![]
            }
        );
        let bytes = rmp_serde::to_vec(&New {
            a: 2,
            b: "y".into(),
            c: 9,
            d: vec![1, 2],
        })
        .unwrap();
        assert_eq!(
            rmp_serde::from_slice::<Old>(&bytes).unwrap(),
            Old { a: 2, b: "y".into() }
        );
        assert!(rmp_serde::from_slice::<Old>(&rmp_serde::to_vec(&(1u8,)).unwrap()).is_err());
    }
}
