//! Arrays keep shape, order and elements, and are moved no more often than need be.

#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use ndarray::{Array, Array2, ArrayD, Ix1, Ix2, IxDyn, ShapeBuilder, arr0, array, s};
use num_complex::Complex;
use paraply_values::{
    ArrayError, DecodeError, Dtype, Element, Encoding, Nd, NdArray, Order, Payload, RawArray, from_payload, to_payload,
};

fn round_trip<A: Element>(array: ArrayD<A>) -> ArrayD<A> {
    let parts: (String, NdArray<A>) = from_payload(&to_payload(&("beside", Nd(array.view()))).unwrap()).unwrap();
    let alone: NdArray<A> = from_payload(&RawArray::from_array(array).unwrap().into_payload().unwrap()).unwrap();
    assert_eq!(parts.1.0.strides(), alone.0.strides());
    alone.0
}

#[test]
fn every_layout_comes_back() {
    let c = Array2::from_shape_fn((30, 40), |(row, column)| (row * 100 + column) as i32).into_dyn();
    let mut f = Array2::zeros((30, 40).f()).into_dyn();
    f.assign(&c);
    let strided = c.slice(s![.., ..;3]).into_dyn().to_owned();
    let reversed = c.slice(s![..;-1, ..]).into_dyn();
    let swapped = Array::from_shape_vec((2, 3, 4), (0..24).collect()).unwrap().permuted_axes([1, 0, 2]).into_dyn();
    let empty = ArrayD::<i32>::zeros(IxDyn(&[0, 3]));
    for array in [
        c.clone(),
        f.clone(),
        c.clone().reversed_axes(),
        strided,
        reversed.to_owned(),
        swapped,
        empty,
        arr0(5).into_dyn(),
    ] {
        assert_eq!(round_trip(array.clone()), array);
    }
    assert_eq!(round_trip(f.clone()).strides(), f.strides());
    let parts: (NdArray<i32>,) = from_payload(&to_payload(&(Nd(reversed.view()),)).unwrap()).unwrap();
    assert_eq!(parts.0.0, reversed);
}

#[test]
fn every_element_comes_back() {
    macro_rules! each {
        ($($value:expr),*) => {$(
            let array = ArrayD::from_elem(IxDyn(&[2, 2]), $value);
            assert_eq!(round_trip(array.clone()), array);
        )*};
    }
    each!(true, -1_i8, -2_i16, -3_i32, -4_i64, 1_u8, 2_u16, 3_u32, u64::MAX, 0.5_f32, -0.5_f64);
    each!(Complex::new(1.0_f32, 2.0), Complex::new(1.0_f64, -2.0));
}

#[test]
fn an_array_that_is_given_away_is_not_copied() {
    let array = Array::linspace(0.0, 1.0, 1000);
    let place = array.as_ptr().cast::<u8>();
    let payload = RawArray::from_array(array).unwrap().into_payload().unwrap();
    assert_eq!(payload.buffers[0].as_ptr(), place);
    let raw: RawArray = from_payload(&payload).unwrap();
    let view = raw.view::<f64, Ix1>().unwrap();
    assert!(view.is_view());
    assert_eq!(view.as_ptr().cast::<u8>(), place);
}

#[test]
fn elements_off_their_alignment_are_moved() {
    let elements = Bytes::from([vec![0; 16], 7_u64.to_le_bytes().to_vec()].concat());
    for start in 1..=16 {
        let raw = RawArray::new(Dtype::Uint64, vec![1], Order::C, elements.slice(start..start + 8)).unwrap();
        let view = raw.view::<u64, Ix1>().unwrap();
        assert_eq!(view.is_view(), raw.elements().as_ptr().addr().is_multiple_of(align_of::<u64>()));
        assert_eq!(
            view[0],
            if start == 16 { 7 } else { 7_u64.unbounded_shl(8 * (16 - u32::try_from(start).unwrap())) }
        );
    }
}

#[test]
fn many_elements_travel_beside_the_value() {
    let large = Nd(Array::<u8, _>::zeros(1024));
    let payload = to_payload(&[&large, &large]).unwrap();
    assert_eq!(payload.buffers.len(), 2);
    assert!(payload.data.len() < 100);
    let small = to_payload(&[Nd(Array::<u8, _>::zeros(1023))]).unwrap();
    assert!(small.buffers.is_empty());
    // Not everything in a buffer of its own, where there is very much.
    let many = to_payload(&vec![large; 5000]).unwrap();
    assert_eq!(many.buffers.len(), 4096);
    assert_eq!(from_payload::<Vec<NdArray<u8, Ix1>>>(&many).unwrap().len(), 5000);
}

#[test]
fn buffers_are_those_of_the_payload_that_is_read() {
    let inner = to_payload(&Nd(Array::<u8, _>::ones(2000))).unwrap();
    let lost = Payload { buffers: Vec::new(), ..inner.clone() };
    assert!(from_payload::<NdArray<u8>>(&lost).unwrap_err().to_string().contains("no buffer 0"));
    assert!(from_payload::<NdArray<u8>>(&inner).is_ok());
}

#[test]
fn what_is_not_as_asked_for_is_said() {
    let raw = RawArray::from_array(array![[1.0, 2.0]]).unwrap();
    assert_eq!(
        raw.view::<f32, Ix2>().unwrap_err(),
        ArrayError::Dtype { wanted: Dtype::Float32, found: Dtype::Float64 }
    );
    assert_eq!(raw.view::<f64, Ix1>().unwrap_err(), ArrayError::Dimensions { wanted: 1, found: 2 });
    let error = from_payload::<NdArray<f32, Ix2>>(&raw.into_payload().unwrap()).unwrap_err();
    assert!(matches!(&error, DecodeError::Malformed { encoding: Encoding::Ndarray, .. }));
    assert!(error.to_string().contains("the elements are float64, not float32"), "{error}");

    let bools = RawArray::new(Dtype::Bool, vec![2], Order::C, vec![1, 2].into()).unwrap();
    assert_eq!(bools.view::<bool, Ix1>().unwrap_err(), ArrayError::Element(Dtype::Bool));
}
