package sqltext

import "strings"

// postgresComputes holds the functions of PostgreSQL that are known to only compute: called twice,
// or in one transaction with the statements of other callers, they do nothing else. It includes
// words and types that may stand before a parenthesis. It leaves out functions that lock, notify or
// set something, that reach outside of the database, or that show which transaction it is.
var postgresComputes = func() map[string]struct{} {
	all := map[string]struct{}{}
	for _, names := range []string{
		"all and any array as between by case cast check coalesce cube distinct else end " +
			"except exists extract filter from greatest group grouping having in ilike intersect " +
			"is isnull join lateral least like limit materialized not notnull nullif offset on " +
			"only or order over overlay partition position recursive returning rollup row select " +
			"sets similar some substring then treat trim tablesample union using values when " +
			"where window with within range rows groups ordinality",
		"bigint bit boolean bpchar char character date dec decimal float float4 float8 int " +
			"int2 int4 int8 integer interval json jsonb name national nchar numeric oid real " +
			"regclass regtype smallint text time timestamp timestamptz timetz uuid varbit varchar " +
			"varying precision xml",
		"count sum avg min max every bool_and bool_or bit_and bit_or bit_xor string_agg " +
			"array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg json_agg_strict " +
			"jsonb_agg_strict any_value range_agg corr covar_pop covar_samp regr_avgx regr_avgy " +
			"regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev " +
			"stddev_pop stddev_samp variance var_pop var_samp mode percentile_cont " +
			"percentile_disc row_number rank dense_rank percent_rank cume_dist ntile lag lead " +
			"first_value last_value nth_value",
		"abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil " +
			"ceiling cos cosd cosh cot cotd degrees div erf erfc exp factorial floor gcd lcm ln " +
			"log log10 min_scale mod pi power pow radians random random_normal round scale sign " +
			"sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket",
		"ascii bit_count bit_length btrim char_length character_length chr concat concat_ws " +
			"convert convert_from convert_to crc32 crc32c decode encode format get_bit get_byte " +
			"initcap left length lower lpad ltrim md5 normalize octet_length parse_ident " +
			"quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like " +
			"regexp_match regexp_matches regexp_replace regexp_split_to_array " +
			"regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim set_bit " +
			"set_byte sha224 sha256 sha384 sha512 split_part starts_with string_to_array " +
			"string_to_table strpos substr to_ascii to_bin to_hex to_oct translate unistr upper",
		"age clock_timestamp current_date current_time current_timestamp date_add date_bin " +
			"date_part date_subtract date_trunc isfinite justify_days justify_hours " +
			"justify_interval localtime localtimestamp make_date make_interval make_time " +
			"make_timestamp make_timestamptz now statement_timestamp timeofday timezone to_char " +
			"to_date to_number to_timestamp transaction_timestamp pg_sleep",
		"array_append array_cat array_dims array_fill array_length array_lower array_ndims " +
			"array_position array_positions array_prepend array_remove array_replace array_sample " +
			"array_shuffle array_sort array_reverse array_to_string array_upper cardinality " +
			"trim_array unnest generate_series generate_subscripts isempty lower_inc lower_inf " +
			"upper_inc upper_inf range_merge multirange int4range int8range numrange tsrange " +
			"tstzrange daterange int4multirange int8multirange nummultirange tsmultirange " +
			"tstzmultirange datemultirange",
		"array_to_json row_to_json to_json to_jsonb json_array json_array_elements " +
			"json_array_elements_text json_array_length json_arrayagg json_build_array " +
			"json_build_object json_each json_each_text json_exists json_extract_path " +
			"json_extract_path_text json_object json_object_keys json_objectagg " +
			"json_populate_record json_populate_recordset json_query json_scalar json_serialize " +
			"json_strip_nulls json_table json_to_record json_to_recordset json_typeof json_value " +
			"jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array " +
			"jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path " +
			"jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys " +
			"jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz " +
			"jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz " +
			"jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz " +
			"jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax " +
			"jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof",
		"array_to_tsvector get_current_ts_config numnode phraseto_tsquery plainto_tsquery " +
			"querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline " +
			"ts_rank ts_rank_cd ts_rewrite tsquery_phrase tsvector_to_array websearch_to_tsquery",
		"abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask " +
			"network set_masklen gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp " +
			"uuid_extract_version area center diagonal diameter height isclosed isopen npoints " +
			"pclose popen radius slope width bound_box box circle line lseg path point polygon " +
			"num_nulls num_nonnulls enum_first enum_last enum_range",
		"col_description current_catalog current_database current_role current_schema " +
			"current_schemas current_setting current_user format_type has_any_column_privilege " +
			"has_column_privilege has_database_privilege has_function_privilege " +
			"has_schema_privilege has_table_privilege inet_client_addr " +
			"inet_client_port inet_server_addr inet_server_port " +
			"obj_description pg_backend_pid pg_collation_for pg_column_size pg_database_size " +
			"pg_get_constraintdef pg_get_expr pg_get_functiondef pg_get_indexdef pg_get_viewdef " +
			"pg_indexes_size pg_is_in_recovery pg_last_wal_replay_lsn pg_last_wal_receive_lsn " +
			"pg_last_xact_replay_timestamp pg_my_temp_schema pg_postmaster_start_time " +
			"pg_relation_size pg_size_bytes pg_size_pretty pg_table_is_visible pg_table_size " +
			"pg_total_relation_size pg_type_is_visible pg_typeof pg_wal_lsn_diff session_user " +
			"shobj_description to_regclass to_regproc to_regtype user version",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = struct{}{}
		}
	}
	return all
}()
