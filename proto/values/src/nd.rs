//! Arrays of the `ndarray` crate.

use std::fmt;

use bytemuck::Pod;
use bytes::Bytes;
use ndarray::{
    Array, ArrayBase, ArrayView, CowArray, Data, Dimension, IxDyn, OwnedRepr, RawData, RawDataClone, ShapeBuilder,
};
use num_complex::Complex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ArrayError, Dtype, Order, RawArray};

#[cfg(target_endian = "big")]
compile_error!("elements travel little-endian, and are taken as they are");

mod private {
    pub trait Sealed {}
}

/// What an array may have as elements: booleans, integers and floats of 8 to 64 bits, complex numbers of two floats.
pub trait Element: Copy + Send + Sync + private::Sealed + 'static {
    /// Its name.
    const DTYPE: Dtype;

    #[doc(hidden)]
    fn as_bytes(elements: &[Self]) -> &[u8];

    #[doc(hidden)]
    fn from_bytes(bytes: &[u8]) -> Result<Elements<'_, Self>, ArrayError>;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Elements<'a, A> {
    Borrowed(&'a [A]),
    Owned(Vec<A>),
}

/// Where the bytes are aligned they are the elements; else they are moved, all at once.
fn pod<A: Pod>(bytes: &[u8]) -> Elements<'_, A> {
    bytemuck::try_cast_slice(bytes)
        .map_or_else(|_| Elements::Owned(bytemuck::allocation::pod_collect_to_vec(bytes)), Elements::Borrowed)
}

macro_rules! elements {
    ($($kind:ty: $dtype:ident,)*) => {$(
        impl private::Sealed for $kind {}

        impl Element for $kind {
            const DTYPE: Dtype = Dtype::$dtype;

            fn as_bytes(elements: &[Self]) -> &[u8] {
                bytemuck::cast_slice(elements)
            }

            fn from_bytes(bytes: &[u8]) -> Result<Elements<'_, Self>, ArrayError> {
                Ok(pod(bytes))
            }
        }
    )*};
}

elements! {
    i8: Int8, i16: Int16, i32: Int32, i64: Int64,
    u8: Uint8, u16: Uint16, u32: Uint32, u64: Uint64,
    f32: Float32, f64: Float64,
    Complex<f32>: Complex64, Complex<f64>: Complex128,
}

impl private::Sealed for bool {}

impl Element for bool {
    const DTYPE: Dtype = Dtype::Bool;

    fn as_bytes(elements: &[Self]) -> &[u8] {
        bytemuck::cast_slice(elements)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Elements<'_, Self>, ArrayError> {
        // Numpy takes any byte, Rust only these two.
        let elements = bytemuck::checked::try_cast_slice(bytes).map_err(|_| ArrayError::Element(Dtype::Bool))?;
        Ok(Elements::Borrowed(elements))
    }
}

/// An array as a value, or as a part of one. What is sent may be a view; what is read is an [`NdArray`].
///
/// Elements are moved as a whole. An array that is neither in C's nor in Fortran's order is put in C's first.
///
/// ```
/// use ndarray::{Array2, array};
/// use paraply_values::{Nd, NdArray, from_payload, to_payload};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Fit {
///     weights: NdArray<f64, ndarray::Ix2>,
///     loss: f64,
/// }
///
/// let fit = Fit { weights: Nd(array![[1.0, 2.0], [3.0, 4.0]]), loss: 0.5 };
/// let back: Fit = from_payload(&to_payload(&fit)?)?;
/// assert_eq!(back.weights, fit.weights);
///
/// // Arguments of a call are a list, which may have views in it.
/// let arguments = to_payload(&(Nd(fit.weights.0.row(1)), 3))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Nd<S: RawData, D>(pub ArrayBase<S, D>);

/// An array that owns its elements, as a value or a part of one.
pub type NdArray<A, D = IxDyn> = Nd<OwnedRepr<A>, D>;

impl<S: RawDataClone, D: Clone> Clone for Nd<S, D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: PartialEq, S: Data<Elem = A>, D: Dimension> PartialEq for Nd<S, D> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<A: fmt::Debug, S: Data<Elem = A>, D: Dimension> fmt::Debug for Nd<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The array's elements as they lie, where they lie in one of the two orders.
fn in_order<A, S, D>(array: &ArrayBase<S, D>) -> Option<(Order, &[A])>
where
    S: Data<Elem = A>,
    D: Dimension,
{
    if let Some(elements) = array.as_slice() {
        return Some((Order::C, elements));
    }
    // Not `as_slice_memory_order` alone: it also has arrays with their axes in any other order.
    if array.t().is_standard_layout() { Some((Order::F, array.as_slice_memory_order()?)) } else { None }
}

impl RawArray {
    /// An array without a copy of its elements, where they are in C's or Fortran's order.
    ///
    /// ```
    /// use ndarray::Array;
    /// use paraply_values::RawArray;
    ///
    /// let payload = RawArray::from_array(Array::linspace(0.0, 1.0, 1_000_000))?.into_payload()?;
    /// assert_eq!(payload.buffers[0].len(), 8_000_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// More than 64 dimensions.
    pub fn from_array<A: Element, D: Dimension + Send + 'static>(array: Array<A, D>) -> Result<Self, ArrayError> {
        struct Owner<A, D>(Array<A, D>);

        impl<A: Element, D: Dimension> AsRef<[u8]> for Owner<A, D> {
            fn as_ref(&self) -> &[u8] {
                in_order(&self.0).map_or(&[], |(_, elements)| A::as_bytes(elements))
            }
        }

        let Some((order, _)) = in_order(&array) else { return Self::copied(&array) };
        let shape = array.shape().to_vec();
        Self::new(A::DTYPE, shape, order, Bytes::from_owner(Owner(array)))
    }

    /// An array with a copy of its elements.
    fn copied<A: Element, S: Data<Elem = A>, D: Dimension>(array: &ArrayBase<S, D>) -> Result<Self, ArrayError> {
        let standard;
        let (order, elements) = match in_order(array) {
            Some(found) => found,
            None => {
                standard = array.as_standard_layout();
                (Order::C, standard.as_slice().unwrap_or_default())
            }
        };
        let bytes = Bytes::copy_from_slice(A::as_bytes(elements));
        Self::new(A::DTYPE, array.shape().to_vec(), order, bytes)
    }

    /// The array, without a copy where its bytes are aligned.
    ///
    /// ```
    /// use ndarray::{Ix1, array};
    /// use paraply_values::{RawArray, from_payload};
    ///
    /// let payload = RawArray::from_array(array![1_i32, 2, 3])?.into_payload()?;
    /// let raw: RawArray = from_payload(&payload)?;
    /// assert_eq!(raw.view::<i32, Ix1>()?.sum(), 6);
    /// assert!(raw.view::<f64, Ix1>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Elements or dimensions other than asked for.
    pub fn view<A: Element, D: Dimension>(&self) -> Result<CowArray<'_, A, D>, ArrayError> {
        if self.dtype() != A::DTYPE {
            return Err(ArrayError::Dtype { wanted: A::DTYPE, found: self.dtype() });
        }
        let shape = || IxDyn(self.shape()).set_f(self.order() == Order::F);
        let refused = |_| ArrayError::Shape(self.shape().iter().map(|length| *length as u64).collect());
        let array: CowArray<'_, A, IxDyn> = match A::from_bytes(self.elements())? {
            Elements::Borrowed(elements) => ArrayView::from_shape(shape(), elements).map_err(refused)?.into(),
            Elements::Owned(elements) => Array::from_shape_vec(shape(), elements).map_err(refused)?.into(),
        };
        array
            .into_dimensionality()
            .map_err(|_| ArrayError::Dimensions { wanted: D::NDIM.unwrap_or_default(), found: self.shape().len() })
    }
}

impl<A: Element, S: Data<Elem = A>, D: Dimension> Serialize for Nd<S, D> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        RawArray::copied(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, A: Element, D: Dimension> Deserialize<'de> for NdArray<A, D> {
    fn deserialize<Z: Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
        let raw = RawArray::deserialize(deserializer)?;
        Ok(Self(raw.view().map_err(de::Error::custom)?.into_owned()))
    }
}
