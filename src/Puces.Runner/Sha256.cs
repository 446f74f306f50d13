using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Puces.Runner;

/// <summary>
/// SHA-256, as FIPS 180-4 has it (<see href="https://csrc.nist.gov/pubs/fips/180-4/upd1/final"/>). .NET's own is some six times as fast and calls
/// the machine's OpenSSL, which many container images do not have: there it ends the process.
/// </summary>
internal static class Sha256
{
    // 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes; and 5.3.3: of the square roots of the first 8.
    private static readonly uint[] Constants = [.. Primes().Take(64).Select(p => Fraction(p, 3))];
    private static readonly uint[] Start = [.. Primes().Take(8).Select(p => Fraction(p, 2))];

    private static readonly bool HasLibrary = NativeLibrary.TryLoad("libssl.so.3", out _) || NativeLibrary.TryLoad("libssl.so.1.1", out _);

    /// <summary>Lower-case hexadecimal digest of all that is left of a stream.</summary>
    public static string Of(Stream stream) => HasLibrary ? Convert.ToHexStringLower(SHA256.HashData(stream)) : Reckon(stream);

    internal static string Reckon(Stream stream)
    {
        Span<uint> state = stackalloc uint[8];
        Start.CopyTo(state);
        var buffer = new byte[1 << 16];
        var length = 0UL;
        int read;
        while ((read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) == buffer.Length)
        {
            Take(state, buffer);
            length += (ulong)read;
        }
        length += (ulong)read;
        // 5.1.1: a one, zeros, and the length in bits at the end of a block.
        Span<byte> last = new byte[(read + 9 + 63) / 64 * 64];
        buffer.AsSpan(0, read).CopyTo(last);
        last[read] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(last[^8..], length * 8);
        Take(state, last);
        Span<byte> digest = stackalloc byte[32];
        for (var i = 0; i < 8; i++) BinaryPrimitives.WriteUInt32BigEndian(digest[(4 * i)..], state[i]);
        return Convert.ToHexStringLower(digest);
    }

    // 6.2.2, block by block.
    private static void Take(Span<uint> state, ReadOnlySpan<byte> blocks)
    {
        Span<uint> w = stackalloc uint[64];
        for (; blocks.Length > 0; blocks = blocks[64..])
        {
            for (var t = 0; t < 16; t++) w[t] = BinaryPrimitives.ReadUInt32BigEndian(blocks[(4 * t)..]);
            for (var t = 16; t < 64; t++)
            {
                var (x, y) = (w[t - 15], w[t - 2]);
                w[t] = w[t - 16] + w[t - 7]
                    + (BitOperations.RotateRight(x, 7) ^ BitOperations.RotateRight(x, 18) ^ x >> 3)
                    + (BitOperations.RotateRight(y, 17) ^ BitOperations.RotateRight(y, 19) ^ y >> 10);
            }
            var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]);
            for (var t = 0; t < 64; t++)
            {
                var one = h + (BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11) ^ BitOperations.RotateRight(e, 25)) + (e & f ^ ~e & g) + Constants[t] + w[t];
                var two = (BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13) ^ BitOperations.RotateRight(a, 22)) + (a & b ^ a & c ^ b & c);
                (h, g, f, e, d, c, b, a) = (g, f, e, d + one, c, b, a, one + two);
            }
            (state[0], state[1], state[2], state[3]) = (state[0] + a, state[1] + b, state[2] + c, state[3] + d);
            (state[4], state[5], state[6], state[7]) = (state[4] + e, state[5] + f, state[6] + g, state[7] + h);
        }
    }

    private static IEnumerable<uint> Primes()
    {
        for (var n = 2U; ; n++)
            if (!Enumerable.Range(2, (int)n - 2).Any(d => n % d == 0)) yield return n;
    }

    // The largest x with x^power ≤ prime × 2^(32 power) is the root in units of 2^-32.
    private static uint Fraction(uint prime, int power)
    {
        var scaled = new BigInteger(prime) << (32 * power);
        var root = BigInteger.Zero;
        for (var bit = BigInteger.One << 40; !bit.IsZero; bit >>= 1)
            if (BigInteger.Pow(root + bit, power) <= scaled) root += bit;
        return (uint)(root & uint.MaxValue);
    }
}
