using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyLlm.Model;

/// <summary>
/// The right-hand side of a matrix product, copied into panels as wide as the microkernel, so that it is read in order
/// and stays in the first-level cache. Kept between products to spare the allocation; for one thread at a time.
/// </summary>
public sealed class Panels<T> where T : unmanaged
{
    // A panel of this many rows is 16 KB: half of a first-level cache; the other half is for A and C.
    private const int Depth = 256;

    private readonly int _width = Microkernel.Width<T>();
    private readonly T[] _edge = new T[6 * Microkernel.Width<T>()];
    private T[] _cells = [];
    private int _rows;
    private int _columns;

    /// <summary>C = A·B, or C += A·B where <paramref name="add"/>; C must not overlap the others.</summary>
    public void Product(Matrix<T> a, Matrix<T> b, Matrix<T> c, bool add = false)
    {
        Pack(b);
        Multiply(a, c, add);
    }

    /// <summary>Copies B (k × n); it serves the products that follow.</summary>
    public void Pack(Matrix<T> b)
    {
        (_rows, _columns) = (b.Rows, b.Columns);
        int panels = (_columns + _width - 1) / _width;
        if (_cells.Length < panels * _rows * _width)
        {
            _cells = new T[panels * _rows * _width];
        }

        for (int panel = 0; panel < panels; panel++)
        {
            int column = panel * _width;
            var part = b.Part(0, _rows, column, Math.Min(_width, _columns - column));
            if (part.Columns == _width && part.ColumnStride == 1)
            {
                CopyRows(part, ref _cells[panel * _rows * _width]);
            }
            else
            {
                CopyColumns(part, ref _cells[panel * _rows * _width]);
            }
        }
    }

    /// <summary>
    /// C = A·B or C += A·B with a part of the packed B: A is m × j, C is m × l, and B counts with its rows
    /// <paramref name="from"/> to <paramref name="from"/> + j and its first l columns.
    /// </summary>
    public void Multiply(Matrix<T> a, Matrix<T> c, bool add, int from = 0)
    {
        if (from + a.Columns > _rows || c.Columns > _columns || a.Rows != c.Rows || c.ColumnStride != 1)
        {
            throw new ArgumentException(
                $"no product of {a.Rows}×{a.Columns} and {_rows}×{_columns} from row {from} gives {c.Rows}×{c.Columns}");
        }

        for (int step = 0; step < a.Columns; step += Depth)
        {
            var slice = a.Part(0, a.Rows, step, Math.Min(Depth, a.Columns - step));
            for (int column = 0; column < c.Columns; column += _width)
            {
                ref T panel = ref _cells[(column * _rows) + ((from + step) * _width)];
                if (column + _width <= c.Columns)
                {
                    Column(slice, ref panel, c, column, add || step > 0);
                }
                else
                {
                    LastColumn(slice, ref panel, c, column, add || step > 0);
                }
            }
        }
    }

    private static void Column(Matrix<T> a, ref T panel, Matrix<T> c, int column, bool add)
    {
        int row = 0;
        while (row < a.Rows)
        {
            ref T to = ref c.Cells[c.Offset + (row * c.RowStride) + column];
            row += Tile(a, row, ref panel, ref to, c.RowStride, add);
        }
    }

    /// <summary>A panel that C has only a part of goes through a tile of its own.</summary>
    private void LastColumn(Matrix<T> a, ref T panel, Matrix<T> c, int column, bool add)
    {
        int columns = c.Columns - column;
        int row = 0;
        while (row < a.Rows)
        {
            for (int i = row; i < Math.Min(row + 6, a.Rows) && add; i++)
            {
                c.Row(i).Slice(column, columns).CopyTo(_edge.AsSpan((i - row) * _width));
            }

            int rows = Tile(a, row, ref panel, ref _edge[0], _width, add);
            for (int i = row; i < row + rows; i++)
            {
                _edge.AsSpan((i - row) * _width, columns).CopyTo(c.Row(i)[column..]);
            }

            row += rows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Tile(Matrix<T> a, int row, ref T panel, ref T to, int toRow, bool add)
    {
        ref T from = ref a.Cells[a.Offset + (row * a.RowStride)];
        switch (a.Rows - row)
        {
            case >= 6:
                Microkernel.Six(ref from, a.RowStride, a.ColumnStride, ref panel, ref to, toRow, a.Columns, add);
                return 6;
            case >= 4:
                Microkernel.Four(ref from, a.RowStride, a.ColumnStride, ref panel, ref to, toRow, a.Columns, add);
                return 4;
            default:
                Microkernel.One(ref from, a.ColumnStride, ref panel, ref to, a.Columns, add);
                return 1;
        }
    }

    private void CopyRows(Matrix<T> part, ref T to)
    {
        ref T from = ref part.Cells[part.Offset];
        for (int row = 0; row < part.Rows; row++)
        {
            Vector.LoadUnsafe(ref from).StoreUnsafe(ref to);
            Vector.LoadUnsafe(ref from, (nuint)Vector<T>.Count).StoreUnsafe(ref to, (nuint)Vector<T>.Count);
            from = ref Unsafe.Add(ref from, part.RowStride);
            to = ref Unsafe.Add(ref to, _width);
        }
    }

    /// <summary>Copies column by column, and sets to zero what the panel has more than the part.</summary>
    private void CopyColumns(Matrix<T> part, ref T to)
    {
        for (int column = 0; column < _width; column++)
        {
            ref T cell = ref Unsafe.Add(ref to, column);
            ref T from = ref part.Cells[part.Offset + (Math.Min(column, part.Columns - 1) * part.ColumnStride)];
            for (int row = 0; row < part.Rows; row++)
            {
                cell = column < part.Columns ? from : default;
                from = ref Unsafe.Add(ref from, part.RowStride);
                cell = ref Unsafe.Add(ref cell, _width);
            }
        }
    }
}
