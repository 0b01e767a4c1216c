package ready

import "maps"

// A table is a map that gives its memory back: one that has become small is built again. Its zero value is empty.
type table[K comparable, V any] struct {
	m    map[K]V
	most int // members since it was built
}

func (t *table[K, V]) get(k K) V { return t.m[k] }

func (t *table[K, V]) has(k K) bool {
	_, ok := t.m[k]
	return ok
}

func (t *table[K, V]) set(k K, v V) {
	if t.m == nil {
		t.m = make(map[K]V)
	}
	t.m[k] = v
	t.most = max(t.most, len(t.m))
}

func (t *table[K, V]) delete(k K) {
	delete(t.m, k)
	if t.most < 64 || len(t.m) > t.most/4 {
		return
	}
	m := make(map[K]V, len(t.m))
	maps.Copy(m, t.m)
	t.m, t.most = m, len(m)
}
