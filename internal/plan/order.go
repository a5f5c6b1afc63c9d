package plan

// Order is the seed of the order in which a pass goes through the partitions of a
// disk: as random as a shuffle, so that the nodes of a cluster do not all fall upon
// the same peer at the same time, and the same again from the same seed, so that a
// pass can be gone on with where it stopped. Every number has one place of its own.
// Swift: obj/replicator.py collect_jobs, which shuffles.
type Order uint32

const (
	mixFirst  = 0x85ebca6b // odd, and so invertible modulo 2^32; murmur3's finalizer
	mixSecond = 0xc2b2ae35
)

var unmixFirst, unmixSecond = inverse(mixFirst), inverse(mixSecond)

// inverse is the number that undoes a multiplication by an odd one (Newton).
func inverse(odd uint32) uint32 {
	x := odd
	for range 5 { // each step doubles the bits that are right, from three on
		x *= 2 - odd*x
	}
	return x
}

// Place is where a partition comes in the order.
func (o Order) Place(number uint32) uint32 {
	x := number ^ uint32(o)
	x ^= x >> 16
	x *= mixFirst
	x ^= x >> 16
	x *= mixSecond
	x ^= x >> 16
	return x ^ uint32(o)<<1
}

// At is the partition that has a place.
func (o Order) At(place uint32) uint32 {
	x := place ^ uint32(o)<<1
	x ^= x >> 16
	x *= unmixSecond
	x ^= x >> 16
	x *= unmixFirst
	x ^= x >> 16
	return x ^ uint32(o)
}

// of is the order among the partitions of one policy.
func (o Order) of(policy uint32) Order { return o ^ Order(policy*0x9e3779b9) }
