idf_component_register(SRCS "@{stem}.c" INCLUDE_DIRS "include")
