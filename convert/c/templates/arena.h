// All values of the network, each for as long as it is needed.
OF_THREAD int8_t ALIGNED arena_of_thread[@{arena}];
