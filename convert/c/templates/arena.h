// All values of the network, each for as long as it is needed.
#if __STDC_HOSTED__ && !defined EDGECNN_NO_THREADS
static _Thread_local int8_t ALIGNED arena_of_thread[%(arena)d];
#else
static int8_t ALIGNED arena_of_thread[%(arena)d];
#endif
