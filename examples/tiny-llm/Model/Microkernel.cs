using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyLlm.Model;

/// <summary>
/// The innermost loops of the matrix product: a tile of C stays in registers while k runs, two vectors wide and six,
/// four or one rows high (12 accumulators, 2 vectors of B and 1 of A fill the 16 registers of AVX2).
/// Each cell is summed over k in order with fused multiply-add, so its value does not depend on the vector width.
/// Where <c>add</c> is false the tile begins at zero and what C held is overwritten.
/// </summary>
internal static class Microkernel
{
    /// <summary>Columns of a tile, and of a panel of B.</summary>
    public static int Width<T>() => 2 * Vector<T>.Count;

    /// <summary>C (6 × width) (+)= A (6 × k) · B (k × width, packed).</summary>
    public static void Six<T>(ref T a, nint aRow, nint aStep, ref T b, ref T c, nint cRow, int k, bool add) where T : unmanaged
    {
        ref T c1 = ref Unsafe.Add(ref c, cRow);
        ref T c2 = ref Unsafe.Add(ref c1, cRow);
        ref T c3 = ref Unsafe.Add(ref c2, cRow);
        ref T c4 = ref Unsafe.Add(ref c3, cRow);
        ref T c5 = ref Unsafe.Add(ref c4, cRow);
        Vector<T> l0 = Left(ref c, add), r0 = Right(ref c, add), l1 = Left(ref c1, add), r1 = Right(ref c1, add);
        Vector<T> l2 = Left(ref c2, add), r2 = Right(ref c2, add), l3 = Left(ref c3, add), r3 = Right(ref c3, add);
        Vector<T> l4 = Left(ref c4, add), r4 = Right(ref c4, add), l5 = Left(ref c5, add), r5 = Right(ref c5, add);
        for (int step = 0; step < k; step++)
        {
            Vector<T> left = Left(ref b), right = Right(ref b);
            var x = new Vector<T>(a);
            l0 = Fma(x, left, l0);
            r0 = Fma(x, right, r0);
            x = new Vector<T>(Unsafe.Add(ref a, aRow));
            l1 = Fma(x, left, l1);
            r1 = Fma(x, right, r1);
            x = new Vector<T>(Unsafe.Add(ref a, 2 * aRow));
            l2 = Fma(x, left, l2);
            r2 = Fma(x, right, r2);
            x = new Vector<T>(Unsafe.Add(ref a, 3 * aRow));
            l3 = Fma(x, left, l3);
            r3 = Fma(x, right, r3);
            x = new Vector<T>(Unsafe.Add(ref a, 4 * aRow));
            l4 = Fma(x, left, l4);
            r4 = Fma(x, right, r4);
            x = new Vector<T>(Unsafe.Add(ref a, 5 * aRow));
            l5 = Fma(x, left, l5);
            r5 = Fma(x, right, r5);
            a = ref Unsafe.Add(ref a, aStep);
            b = ref Unsafe.Add(ref b, 2 * Vector<T>.Count);
        }

        Store(ref c, l0, r0);
        Store(ref c1, l1, r1);
        Store(ref c2, l2, r2);
        Store(ref c3, l3, r3);
        Store(ref c4, l4, r4);
        Store(ref c5, l5, r5);
    }

    /// <summary>C (4 × width) (+)= A (4 × k) · B (k × width, packed).</summary>
    public static void Four<T>(ref T a, nint aRow, nint aStep, ref T b, ref T c, nint cRow, int k, bool add) where T : unmanaged
    {
        ref T c1 = ref Unsafe.Add(ref c, cRow);
        ref T c2 = ref Unsafe.Add(ref c1, cRow);
        ref T c3 = ref Unsafe.Add(ref c2, cRow);
        Vector<T> l0 = Left(ref c, add), r0 = Right(ref c, add), l1 = Left(ref c1, add), r1 = Right(ref c1, add);
        Vector<T> l2 = Left(ref c2, add), r2 = Right(ref c2, add), l3 = Left(ref c3, add), r3 = Right(ref c3, add);
        for (int step = 0; step < k; step++)
        {
            Vector<T> left = Left(ref b), right = Right(ref b);
            var x = new Vector<T>(a);
            l0 = Fma(x, left, l0);
            r0 = Fma(x, right, r0);
            x = new Vector<T>(Unsafe.Add(ref a, aRow));
            l1 = Fma(x, left, l1);
            r1 = Fma(x, right, r1);
            x = new Vector<T>(Unsafe.Add(ref a, 2 * aRow));
            l2 = Fma(x, left, l2);
            r2 = Fma(x, right, r2);
            x = new Vector<T>(Unsafe.Add(ref a, 3 * aRow));
            l3 = Fma(x, left, l3);
            r3 = Fma(x, right, r3);
            a = ref Unsafe.Add(ref a, aStep);
            b = ref Unsafe.Add(ref b, 2 * Vector<T>.Count);
        }

        Store(ref c, l0, r0);
        Store(ref c1, l1, r1);
        Store(ref c2, l2, r2);
        Store(ref c3, l3, r3);
    }

    /// <summary>C (1 × width) (+)= A (1 × k) · B (k × width, packed).</summary>
    public static void One<T>(ref T a, nint aStep, ref T b, ref T c, int k, bool add) where T : unmanaged
    {
        Vector<T> l = Left(ref c, add), r = Right(ref c, add);
        for (int step = 0; step < k; step++)
        {
            var x = new Vector<T>(a);
            l = Fma(x, Left(ref b), l);
            r = Fma(x, Right(ref b), r);
            a = ref Unsafe.Add(ref a, aStep);
            b = ref Unsafe.Add(ref b, 2 * Vector<T>.Count);
        }

        Store(ref c, l, r);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<T> Left<T>(ref T from) where T : unmanaged => Vector.LoadUnsafe(ref from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<T> Right<T>(ref T from) where T : unmanaged => Vector.LoadUnsafe(ref from, (nuint)Vector<T>.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<T> Left<T>(ref T from, bool add) where T : unmanaged => add ? Left(ref from) : Vector<T>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<T> Right<T>(ref T from, bool add) where T : unmanaged => add ? Right(ref from) : Vector<T>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<T>(ref T to, Vector<T> left, Vector<T> right) where T : unmanaged
    {
        left.StoreUnsafe(ref to);
        right.StoreUnsafe(ref to, (nuint)Vector<T>.Count);
    }

    // The comparison of types is decided when T is compiled: nothing of it is left at run time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<T> Fma<T>(Vector<T> x, Vector<T> y, Vector<T> z) where T : unmanaged =>
        typeof(T) == typeof(float)
            ? Vector.FusedMultiplyAdd(x.As<T, float>(), y.As<T, float>(), z.As<T, float>()).As<float, T>()
            : Vector.FusedMultiplyAdd(x.As<T, double>(), y.As<T, double>(), z.As<T, double>()).As<double, T>();
}
