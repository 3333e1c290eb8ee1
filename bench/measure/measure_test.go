package measure

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSidesTakeTurnsAndEachGoesFirst(t *testing.T) {
	t.Parallel()
	order := ""
	side := func(name string, values ...float64) Side {
		return func(context.Context) (float64, error) {
			order += name
			value := values[0]
			values = values[1:]
			return value, nil
		}
	}
	c, err := Interleave(t.Context(), 3, side("o", 50, 90, 80), side("l", 100, 100, 100))
	require.NoError(t, err)
	require.Equal(t, "ollool", order)
	require.Equal(t, Comparison{Ours: 80, Limit: 100, Ratio: 0.8, Low: 0.5, High: 0.9}, c)
	require.True(t, c.AtLeast(0.8, "", "", "").Met)
	require.False(t, c.AtLeast(0.81, "", "", "").Met)
	require.True(t, c.AtMost(0.8, "", "", "").Met)
	require.False(t, c.AtMost(0.79, "", "", "").Met)
}

func TestAFailedSideEndsTheComparison(t *testing.T) {
	t.Parallel()
	failure := errors.New("refused")
	_, err := Interleave(t.Context(), 3, func(context.Context) (float64, error) { return 1, nil }, func(context.Context) (float64, error) { return 0, failure })
	require.ErrorIs(t, err, failure)
	nothing := func(context.Context) (float64, error) { return 0, nil }
	_, err = Interleave(t.Context(), 1, nothing, nothing)
	require.Error(t, err)
}

func TestPercentilesAreOfTheSortedValues(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 4, 2, 3}
	require.Equal(t, 3.0, Median(values))
	require.Equal(t, 2.5, Median([]float64{4, 1, 2, 3}))
	require.Equal(t, 5.0, Percentile(values, 0.99))
	require.Equal(t, 3.0, Percentile(values, 0.5))
	require.Zero(t, Median(nil)+Percentile(nil, 0.5))
	require.Equal(t, []float64{5, 1, 4, 2, 3}, values)
}
