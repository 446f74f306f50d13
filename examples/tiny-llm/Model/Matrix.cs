namespace TinyLlm.Model;

/// <summary>A view of <paramref name="Rows"/> × <paramref name="Columns"/> cells inside a flat array; views share the cells.</summary>
/// <param name="Cells">The array that holds the cells.</param>
/// <param name="Offset">Index of cell (0, 0).</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="RowStride">Distance in cells from one row to the next.</param>
/// <param name="ColumnStride">Distance in cells from one column to the next.</param>
public readonly record struct Matrix<T>(T[] Cells, int Offset, int Rows, int Columns, int RowStride, int ColumnStride)
    where T : unmanaged
{
    /// <summary>A dense row-major matrix that begins at <paramref name="offset"/>.</summary>
    public Matrix(T[] cells, int offset, int rows, int columns)
        : this(cells, offset, rows, columns, columns, 1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + (rows * columns), cells.Length);
    }

    /// <summary>Columns × rows: the same cells, read the other way.</summary>
    public Matrix<T> Transposed => new(Cells, Offset, Columns, Rows, ColumnStride, RowStride);

    /// <summary>The part of so many rows and columns that begins at (<paramref name="row"/>, <paramref name="column"/>).</summary>
    public Matrix<T> Part(int row, int rows, int column, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(row + rows, Rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(column + columns, Columns);
        return this with
        {
            Offset = Offset + (row * RowStride) + (column * ColumnStride),
            Rows = rows,
            Columns = columns,
        };
    }

    /// <summary>One row as a span; only where the columns lie side by side.</summary>
    public Span<T> Row(int row) => Cells.AsSpan(Offset + (row * RowStride), Columns);
}
