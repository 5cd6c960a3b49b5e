create table authors (id bigserial primary key, name text unique not null, tags jsonb not null, scores bigint[] not null);
create table posts (id bigserial primary key, author_id bigint not null references authors on delete cascade,
	title text not null, slug text not null);
